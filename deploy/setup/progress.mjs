const QUIET_MS = 2000;

const startedAt = performance.now();

/**
 * Runs one step. A step that takes longer than two seconds is announced, and its end as well; a quick one says
 * nothing, so that a start with nothing to do prints nothing.
 *
 * @param {string} title what is being done, as in "installing the packages"
 * @param {(report: (text: string, options?: { every: number }) => void) => Promise<T>} run `report` names the part of
 *   the step that begins; with `every` (ms), at most one such line in that time is printed
 * @returns {Promise<T>}
 * @template T
 */
export async function step(title, run) {
  const began = performance.now();
  let lastLineAt = 0;
  let announced = false;
  let current = title;
  const announce = () => {
    announced = true;
    print(`${current} ...`);
  };
  let timer = setTimeout(announce, QUIET_MS);

  const report = (text, { every = 0 } = {}) => {
    const now = performance.now();
    if (every > 0 && now - Math.max(lastLineAt, began) < every) return;
    lastLineAt = now;
    current = text;
    clearTimeout(timer);
    if (every > 0) announce();
    else timer = setTimeout(announce, QUIET_MS);
  };

  try {
    const result = await run(report);
    if (announced) print(`${title}: done in ${seconds(began)} s`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** One line of the set-up, with the seconds since it began. */
export function print(text) {
  console.log(`[${seconds(startedAt).padStart(5)} s] ${text}`);
}

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(1);
}
