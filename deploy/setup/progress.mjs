const QUIET_MS = 2000;

const startedAt = performance.now();

/**
 * Names the part of a step that begins. With `everyMs` it names how far the part is, and is heard that often at most.
 *
 * @typedef {(text: string, options?: { everyMs: number }) => void} Report
 */

/**
 * Runs one step. What takes longer than two seconds is announced, and so is the end of such a step; a quick one says
 * nothing, so that a start with nothing to do prints nothing.
 *
 * @param {string} title what is prepared
 * @param {(report: Report) => T | Promise<T>} run
 * @returns {Promise<T>}
 * @template T
 */
export async function step(title, run) {
  const began = performance.now();
  let told = false;
  let toldAt = began;
  const tell = (text) => {
    told = true;
    toldAt = performance.now();
    print(`${text} ...`);
  };

  let timer = setTimeout(tell, QUIET_MS, title);
  const report = (text, { everyMs = 0 } = {}) => {
    if (everyMs > 0) {
      if (performance.now() - toldAt >= everyMs) tell(text);
      return;
    }
    clearTimeout(timer);
    timer = setTimeout(tell, QUIET_MS, text);
  };

  try {
    const result = await run(report);
    if (told) print(`${title}: done in ${seconds(began)} s`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** One line of the set-up, with the seconds since it began. */
function print(text) {
  console.log(`[${seconds(startedAt).padStart(6)} s] ${text}`);
}

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(1);
}
