/** Real calls between two Chromiums over networks that lose and delay packets. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import { LossyRelay } from '../../support/LossyRelay.ts';
import { newMatch } from '../../support/signedIn.ts';
import { type CallPage, CallPages } from './callPages.ts';

const app = useApp();
let pages: CallPages;

beforeAll(async () => {
  pages = await CallPages.open(app.url);
});
afterAll(() => pages?.close());

interface Judged {
  userId: string;
  mos: number;
  lossRatio: number;
  jitterMs: number;
  videoMos: number;
}

/** An answered call; Bob is behind a relay. */
async function calling(stack: AsyncDisposableStack) {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const annPage = await pages.sit('sfu', ann, seat);
  const bobPage = await pages.sit('sfu', bob, (await bob.ok('POST', `/calls/${call.id}/answer`, {})).seat);
  stack.defer(() => Promise.all([annPage.close(), bobPage.close()]).then(() => undefined));
  const [candidate]: [{ port: number }] = await bobPage.do('candidates');
  const relay = await LossyRelay.to(candidate.port);
  stack.defer(() => relay.close());
  const there = { ...candidate, port: relay.port };
  await bobPage.do('open', { iceCandidates: [there] });
  for (const page of [annPage, bobPage]) expect(await page.do('send', 'audio')).toBe('done');
  await Promise.all([annPage, bobPage].map((page) => page.hears('audio', { bytes: 1_000 }, 30_000)));
  return { ann, bob, annPage, bobPage, relay, callId: call.id as string };
}

/** What was said of how this person hears the other, since `from`. */
async function judgedOf(page: CallPage, userId: string, from = 0): Promise<Judged[]> {
  const all: Judged[] = await page.do('heard', 'call:quality');
  return all.filter((one) => one.userId === userId).slice(from);
}

/** Waits until something holds; `seen` is what the error then says. */
async function until(
  holds: () => Promise<boolean>,
  withinMs: number,
  seen: () => Promise<unknown>,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > end)
      throw new Error(`not within ${withinMs} ms: ${JSON.stringify(await seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

it('2 % of loss with 40 ms of jitter: the voice keeps a score of 4.0', { timeout: 120_000 }, async () => {
  await using stack = new AsyncDisposableStack();
  const { bob, bobPage, relay } = await calling(stack);
  // Times that differ by a third of the range on average: 40 ms of interarrival jitter (RFC 3550 section 6.4.1).
  relay.impairment = { lossRatio: 0.02, delayUpToMs: 120 };
  const before = (await judgedOf(bobPage, bob.id)).length + 1;
  const judged = () => judgedOf(bobPage, bob.id, before);
  await until(async () => (await judged()).length >= 5, 60_000, judged);
  const rounds = await judged();
  const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
  // That there is an impairment, first. What overtakes another packet is not counted in the jitter that is reported.
  expect(median(rounds.map(({ jitterMs }) => jitterMs))).toBeGreaterThan(15);
  expect(Math.max(...rounds.map(({ lossRatio }) => lossRatio))).toBeGreaterThan(0);
  expect(median(rounds.map(({ mos }) => mos))).toBeGreaterThanOrEqual(4);
});

it('on a bad network the picture is reduced, then off, and back after it; the voice goes on', {
  timeout: 300_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const { ann, bob, annPage, bobPage, relay, callId } = await calling(stack);
  await ann.ok('POST', `/calls/${callId}/upgrade`);
  await bob.ok('POST', `/calls/${callId}/upgrade`);
  expect(await annPage.do('send', 'video')).toBe('done');
  await bobPage.hears('video', { frames: 5 }, 30_000);
  relay.impairment = { lossRatio: 0.25, delayUpToMs: 0 };
  const steps = async () =>
    ((await bobPage.do('heard', 'call:video_step')) as { step: string }[]).map(({ step }) => step);
  const judged = () => judgedOf(bobPage, bob.id);
  await until(async () => (await steps())[0] === 'reduced', 90_000, judged);
  await until(async () => (await steps())[1] === 'off', 90_000, judged);
  expect(await bobPage.flow('audio', 1_000)).toBeGreaterThan(500);
  expect(await bobPage.flow('video', 1_000)).toBe(0);
  relay.impairment = { lossRatio: 0, delayUpToMs: 0 };
  await until(async () => (await steps()).at(-1) === 'full', 120_000, judged);
  expect((await steps()).slice(0, 4)).toEqual(['reduced', 'off', 'reduced', 'full']);
  expect(await bobPage.flow('video', 2_000)).toBeGreaterThan(1_000);
});

it('a call that moves to another network keeps its transports and its clock', {
  timeout: 120_000,
}, async () => {
  await using stack = new AsyncDisposableStack();
  const { ann, annPage, bobPage, relay, callId } = await calling(stack);
  const now = async () => (await ann.ok('GET', `/calls/${callId}`)).call;
  await until(async () => (await now()).phase === 'active', 20_000, now);
  const before = await now();
  relay.move();
  // Until the next check of consent comes from the new address, nobody knows that it is the same person.
  for (const page of [annPage, bobPage])
    await until(
      async () => (await page.flow('audio', 1_000)) > 500,
      30_000,
      async () => 'silence',
    );
  expect(await now()).toMatchObject({ phase: 'active', endsAt: before.endsAt });
  for (const page of [annPage, bobPage])
    for (const type of ['media:restart', 'media:producer_closed', 'call:peer_dropped'])
      expect([type, await page.do('heard', type)]).toEqual([type, []]);
});
