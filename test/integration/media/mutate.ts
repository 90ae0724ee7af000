/** Seeded damage to a payload: what a client with bad intentions, or a bug, may send in its place. */

type Random = () => number;
type Node = Record<string | number, unknown>;

/** mulberry32: the same seed gives the same run. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const HOSTILE: (() => unknown)[] = [
  () => null,
  () => undefined,
  () => Number.NaN,
  () => Number.POSITIVE_INFINITY,
  () => -1,
  () => -0,
  () => 0,
  () => 1.5,
  () => 255,
  () => 256,
  () => 65_536,
  () => 2 ** 31,
  () => 2 ** 32 - 1,
  () => 2 ** 32,
  () => 2 ** 53,
  () => 1e308,
  () => 5n,
  () => '',
  () => '0',
  () => '1.5',
  () => 'x'.repeat(10_000),
  () => 'a\r\nb',
  () => '\u0000',
  () => '\ud800',
  () => '../../etc/passwd',
  () => true,
  () => false,
  () => ({}),
  () => [],
  () => [[]],
  () => [null],
  () => Array(300).fill(0),
  () => ({ length: 1, 0: {} }),
  () => JSON.parse('{"__proto__":{"ssrc":1.5},"constructor":1}'),
  () => new Uint8Array([1, 2, 3]),
  () => new Date(0),
  () => new Map([['ssrc', 1]]),
  () => 'video/red',
  () => 'video/VP9',
  () => 'video/rtx',
  () => 'audio/opus',
  () => 'L3T3_KEY',
  () => 'L1T3',
  () => ({ ssrc: 5 }),
  () => ({ apt: 96 }),
];

/** A damaged copy of `payload`, between one and four wounds. */
export function mutate(payload: unknown, random: Random): unknown {
  const copy: unknown = structuredClone(payload);
  const wounds = 1 + Math.floor(random() * random() * 4);
  for (let i = 0; i < wounds; i += 1) wound(copy as Node, random);
  return copy;
}

function wound(root: Node, random: Random): void {
  const places = placesIn(root);
  const { parent, key } = pick(places, random);
  const value = parent[key];
  const kind = random();
  if (kind < 0.3) parent[key] = pick(HOSTILE, random)();
  else if (kind < 0.4) delete parent[key];
  else if (kind < 0.55 && typeof value === 'number') parent[key] = Math.floor(value + (random() - 0.5) * 8);
  else if (kind < 0.65 && typeof value === 'number') parent[key] = Math.floor(random() * 130);
  else if (kind < 0.75) parent[key] = structuredClone(pick(places, random).parent);
  else if (kind < 0.85 && Array.isArray(value)) value.push(structuredClone(value[0] ?? null));
  else if (kind < 0.9 && Array.isArray(value)) value.reverse();
  else if (kind < 0.95 && typeof value === 'string') parent[key] = value.toUpperCase();
  else
    (parent as Node)[pick(['extra', 'rtx', 'apt', 'ssrc', 'maxBitrate', 'codecPayloadType'], random)] = pick(
      HOSTILE,
      random,
    )();
}

/** Every place in which something is, outside first. */
function placesIn(root: Node): { parent: Node; key: string }[] {
  const places: { parent: Node; key: string }[] = [];
  const visit = (parent: Node): void => {
    for (const key of Object.keys(parent)) {
      if (places.length > 400) return;
      places.push({ parent, key });
      const child = parent[key];
      if (typeof child === 'object' && child !== null && !ArrayBuffer.isView(child)) visit(child as Node);
    }
  };
  visit(root);
  return places.length > 0 ? places : [{ parent: root, key: 'extra' }];
}

function pick<T>(list: readonly T[], random: Random): T {
  return list[Math.floor(random() * list.length)]!;
}
