/**
 * Likes, dislikes, blocks and their return between few people, in every order: what each takes when all want the same
 * rows, and whether anybody is told of a deadlock.
 *
 *     npm run node -- loadtest/crossedLocks.ts --requests 10000 --people 40 --at-once 32
 */
import { parseArgs } from 'node:util';
import { inParallel, MeasuredDuet, type TestPerson } from './densityServer.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    people: { type: 'string', default: '40' },
    'at-once': { type: 'string', default: '32' },
  },
});
const VERBS = [
  ['POST', '/matches/like'],
  ['POST', '/matches/like'],
  ['POST', '/users/block'],
  ['DELETE', '/users/block'],
  ['POST', '/matches/dislike'],
] as const;

await using duet = await MeasuredDuet.start();
const people = await duet.people(Number(values.people));
const tookMs: number[] = [];
const answers = new Map<string, number>();
await inParallel([...Array(Number(values.requests)).keys()], Number(values['at-once']), async (i) => {
  const one = people[i % people.length]!;
  const other = people[(i * 7 + 3 + Math.floor(i / people.length)) % people.length]!;
  // Both directions, so that two who want the same rows name them in either order.
  if (one !== other)
    await ask(VERBS[i % VERBS.length]!, ...(i % 2 === 0 ? ([one, other] as const) : ([other, one] as const)));
});
tookMs.sort((a, b) => a - b);
const at = (share: number) => tookMs[Math.floor(tookMs.length * share)]!.toFixed(0);
console.log(
  `${tookMs.length} requests: p50 ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}, most ${tookMs.at(-1)!.toFixed(0)} ms`,
);
for (const [answer, count] of [...answers].sort()) console.log(`${count.toString().padStart(7)}  ${answer}`);

async function ask([method, path]: (typeof VERBS)[number], by: TestPerson, about: TestPerson): Promise<void> {
  const startedAt = performance.now();
  const headers = { authorization: `Bearer ${by.token}` };
  const response = await fetch(`${duet.server.url}/api/v1${path}/${about.id}`, { method, headers });
  const text = await response.text();
  tookMs.push(performance.now() - startedAt);
  const code = response.ok ? '' : ` ${JSON.parse(text).code}`;
  const answer = `${method} ${path}: ${response.status}${code}`;
  answers.set(answer, (answers.get(answer) ?? 0) + 1);
}
