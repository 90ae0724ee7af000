/** Firefox with a bare RTCPeerConnection calls somebody who has the SDK, on mediasoup-client in Chromium. */
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CallPage, CallPages, pageScript } from '../integration/media/callPages.ts';
import { useApp } from '../support/app.ts';
import { openFirefox } from '../support/firefox.ts';
import { newMatch } from '../support/signedIn.ts';

const app = useApp({ CALL_DURATION_SEC: '300' });
let firefox: Browser;
let chromium: CallPages;

beforeAll(async () => {
  chromium = await CallPages.open(app.url);
  firefox = await openFirefox();
});
afterAll(() => Promise.all([firefox?.close(), chromium?.close()]));

/** The page of `plain.test.ts`. */
async function openInFirefox(): Promise<CallPage> {
  const context = await firefox.createBrowserContext();
  const page = await context.newPage();
  await page.goto(`${app.url}/health/liveness`);
  await page.evaluate(`(() => {${await pageScript('plain')}})()`);
  return new CallPage({
    evaluate: (run, given) => page.evaluate(run, given),
    close: () => context.close(),
  });
}

/** Long: two browsers share a busy machine. */
const WITHIN_MS = 60_000;
const eventually = <T>(read: () => T) => expect.poll(read, { timeout: WITHIN_MS, interval: 250 });

test('Firefox with a bare RTCPeerConnection and Chromium with the SDK hear, then see each other, to the end', async () => {
  await using stack = new AsyncDisposableStack();
  const { ann, bob, matchId } = await newMatch(app);
  const atAnn = await openInFirefox();
  stack.defer(() => atAnn.close());
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  await atAnn.do('sit', app.url, ann.token, seat);
  await atAnn.do('send', 'audio');
  const ringing = await bob.ok('POST', `/calls/${call.id}/join`);
  const atBob = await chromium.sitWithSdk(bob, ringing.call, ringing.seat);
  stack.defer(() => atBob.close());
  const hearEachOther = (bytes: number) =>
    Promise.all([atAnn, atBob].map((page) => page.hears('audio', { bytes }, WITHIN_MS)));
  const stateAtAnn = () => atAnn.do('connection');

  await atBob.do('answer');
  await hearEachOther(10_000);
  await eventually(() => atBob.do('phase')).toBe('active');
  await eventually(stateAtAnn).toMatchObject({ connectionState: 'connected', signalingState: 'stable' });

  // Both consent; the SDK then sends by itself.
  expect(await atAnn.ask('call:upgrade_request')).toBe('done');
  await atBob.do('upgrade');
  await atAnn.do('send', 'video');
  await Promise.all([atAnn, atBob].map((page) => page.hears('video', { frames: 10 }, WITHIN_MS)));
  await eventually(stateAtAnn).toMatchObject({ signalingState: 'stable' });
  // An offer that crossed one of the server's is refused with a code, and made again.
  const { refusals }: { refusals: string[] } = await stateAtAnn();
  expect(refusals.filter((one) => one !== 'call:sdp_offer CONFLICT')).toEqual([]);
  const { bytes }: { bytes: number } = await atAnn.do('received', 'audio');
  await hearEachOther(bytes + 5_000);

  await atBob.do('end');
  await eventually(() => atBob.do('phase')).toBe('ended');
  await eventually(() => atAnn.do('ending')).toEqual({ outcome: 'completed', connectionState: 'closed' });
});
