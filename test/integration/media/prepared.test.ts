/** The product's own client at both ends, in Chromium: everything is ready while it rings, nothing is given away. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { useApp } from '../../support/app.ts';
import { Inbox, type Person } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { newMatch } from '../../support/signedIn.ts';
import { type CallPage, CallPages } from './callPages.ts';

const app = useApp();
let pages: CallPages;
const open: CallPage[] = [];

beforeAll(async () => {
  pages = await CallPages.open(app.url);
});
afterAll(() => pages?.close());
afterEach(async () => {
  await Promise.all(open.splice(0).map((page) => page.close()));
});

async function sit(person: Person, call: object, seat: object): Promise<CallPage> {
  const page = await pages.sitWithSdk(person, call, seat as never);
  open.push(page);
  return page;
}

/** Both sit in the call's room while it rings, with everything ready. */
async function ringing() {
  const { ann, bob, matchId } = await newMatch(app);
  const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
  const { seat: bobSeat } = await bob.ok('POST', `/calls/${call.id}/join`);
  const [caller, callee] = await Promise.all([sit(ann, call, seat), sit(bob, call, bobSeat)]);
  await Promise.all([caller.do('open'), callee.do('open')]);
  return { ann, bob, caller, callee };
}

type Sent = { packets: number; level: number };
type Received = { bytes: number; level: number };
type People = Record<string, { connected: boolean; audio: boolean }>;
const peopleOn = (page: CallPage): Promise<People> => page.do('people');

describe('a call that is prepared while it rings', { timeout: 60_000 }, () => {
  it('sends the server silence, and the other nothing, before the answer; then both hear each other', async () => {
    const { ann, bob, caller, callee } = await ringing();
    for (const page of [caller, callee]) {
      const sent: Sent = await page.do('sent');
      expect(sent.packets).toBeGreaterThan(0);
      // Not a sound of the microphone, which plays a test tone.
      expect(sent.level).toBe(0);
      expect(await page.do('received', 'audio')).toMatchObject({ bytes: 0 });
    }
    await callee.do('answer');
    for (const page of [caller, callee]) {
      await eventually(async () => ((await page.do('received', 'audio')) as Received).bytes).toBeGreaterThan(
        2_000,
      );
      // The tone itself, not only packets.
      await eventually(async () => ((await page.do('received', 'audio')) as Received).level).toBeGreaterThan(
        0,
      );
      await eventually(() => page.do('phase')).toBe('active');
    }
    await eventually(async () => (await peopleOn(caller))[bob.id]).toMatchObject({
      connected: true,
      audio: true,
    });
    await eventually(async () => (await peopleOn(callee))[ann.id]).toMatchObject({
      connected: true,
      audio: true,
    });
  });

  it('gives a caller no sign of whether the other is there', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const room = await ann.sit(seat);
    const heard = new Inbox(room);
    // The state comes before the answer to an own question.
    await room.request('media:capabilities', {});
    const before = JSON.stringify(room.state);
    const { seat: bobSeat } = await bob.ok('POST', `/calls/${call.id}/join`);
    const callee = await sit(bob, call, bobSeat);
    await callee.do('open');
    await room.request('media:capabilities', {});
    expect(JSON.stringify(room.state)).toBe(before);
    expect(heard.events.filter(({ type }) => type !== 'call:e2ee_key')).toEqual([]);
  });

  it('shows a mute to the other', async () => {
    const { ann, caller, callee } = await ringing();
    await callee.do('answer');
    const audioOfAnn = async () => (await peopleOn(callee))[ann.id]?.audio;
    await eventually(audioOfAnn).toBe(true);
    await eventually(() => caller.do('phase')).toBe('active');
    await caller.do('mute', true);
    await eventually(audioOfAnn).toBe(false);
    await caller.do('mute', false);
    await eventually(audioOfAnn).toBe(true);
  });
});
