/** The client SDK against the program: whom one may like, and the room of a match. */
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { localRoom, processId } from '../../../src/actors/colyseus.ts';
import { DuetError } from '../../../src/errors.ts';
import { Matches } from '../../../src/matching/Matches.ts';
import { Duet, type Gender } from '../../../web/sdk/Duet.ts';
import type { MatchSession } from '../../../web/sdk/MatchSession.ts';
import { useApp } from '../../support/app.ts';
import { eventually } from '../../support/eventually.ts';

const app = useApp();
const PASSWORD = 'correct horse battery';
/** The server's word that the room is elsewhere: a reason to ask for a new seat. */
const MOVED = 4104;
const signedIn: Duet[] = [];
const sat: MatchSession[] = [];

afterAll(async () => {
  for (const session of sat) session.leave();
  await Promise.all(signedIn.map((duet) => duet.auth.logout()));
});

/** Somebody who came by the SDK alone. */
async function newcomer(gender: Gender = 'woman'): Promise<Duet> {
  const duet = new Duet({ baseUrl: app.url });
  const email = `${randomUUID()}@example.org`;
  await duet.auth.register({
    email,
    password: PASSWORD,
    displayName: 'Robin',
    birthDate: '1990-05-17',
    gender,
  });
  await duet.auth.verify(await mailedToken(email));
  await duet.auth.login(email, PASSWORD);
  signedIn.push(duet);
  return duet;
}

async function mailedToken(email: string): Promise<string> {
  let token: string | undefined;
  await eventually(async () => {
    const { items } = await (await fetch(`${app.url}/dev/mailbox?to=${encodeURIComponent(email)}`)).json();
    token = /[?&]token=([\w.~-]+)/.exec(items[0]?.text ?? '')?.[1];
    return token;
  }).toBeDefined();
  return token!;
}

/** Two people with a match between them. */
async function newMatch() {
  const [ann, bob] = await Promise.all([newcomer(), newcomer()]);
  expect(await ann.matches.like(bob.auth.userId!)).toEqual({ decision: 'like', match: null });
  const { match } = await bob.matches.like(ann.auth.userId!);
  return { ann, bob, matchId: match!.id };
}

/** A seat, once it is taken, with all that is said in the room. */
async function sit(duet: Duet, matchId: string) {
  const session = await duet.joinMatch(matchId);
  sat.push(session);
  const states: string[] = [];
  const heard: { type: string; payload: unknown }[] = [];
  session.on('state', (state) => states.push(state));
  session.on('event', (event) => heard.push(event));
  await eventually(() => states).toEqual(['connected']);
  return { session, states, heard };
}

/** The server sends whoever is in the match's room away, as it does when a room moves. */
function sendAway(matchId: string): void {
  for (const client of localRoom(`match-${matchId}-${processId()}`)!.clients) client.leave(MOVED);
}

describe('the room of a match', () => {
  test('is where both accept, and hear that it is ready', async () => {
    const { ann, bob, matchId } = await newMatch();
    const [atAnn, atBob] = await Promise.all([sit(ann, matchId), sit(bob, matchId)]);
    expect(atAnn.session.match).toMatchObject({
      id: matchId,
      phase: 'awaiting_accept',
      youAccepted: false,
      peer: { id: bob.auth.userId },
    });
    expect(await atAnn.session.accept()).toMatchObject({ match: { youAccepted: true } });
    expect(await atBob.session.accept()).toMatchObject({ match: { phase: 'ready' } });
    for (const { heard } of [atAnn, atBob]) {
      await eventually(() => heard).toMatchObject([{ type: 'match:ready', payload: { matchId } }]);
    }
  });

  test('is where one declines, and the other is not told who', async () => {
    const { ann, bob, matchId } = await newMatch();
    const [atAnn, atBob] = await Promise.all([sit(ann, matchId), sit(bob, matchId)]);
    await atBob.session.decline();
    const ended = { type: 'match:ended', payload: { matchId, status: 'rejected', reason: 'ended' } };
    await eventually(() => atAnn.heard).toMatchObject([ended]);
    // The room is over as well, which is no loss to come back from.
    for (const { states } of [atAnn, atBob]) await eventually(() => states).toEqual(['connected', 'closed']);
    await expect(atAnn.session.accept()).rejects.toMatchObject({ name: 'DuetApiError', code: 'NETWORK' });
  });

  test('is where one ends it', async () => {
    const { ann, bob, matchId } = await newMatch();
    const [atAnn, atBob] = await Promise.all([sit(ann, matchId), sit(bob, matchId)]);
    expect(await atAnn.session.end()).toMatchObject({ match: { status: 'ended', phase: 'closed' } });
    const ended = { type: 'match:ended', payload: { matchId, status: 'ended' } };
    await eventually(() => atBob.heard).toMatchObject([ended]);
  });

  test('is left, and the match goes on', async () => {
    const { ann, bob, matchId } = await newMatch();
    const [atAnn, atBob] = await Promise.all([sit(ann, matchId), sit(bob, matchId)]);
    let closed = 0;
    atAnn.session.on('closed', () => {
      closed += 1;
    });
    atAnn.session.leave();
    expect(closed).toBe(1);
    expect(atAnn.states).toEqual(['connected', 'closed']);
    await expect(atAnn.session.accept()).rejects.toMatchObject({ code: 'NETWORK' });
    expect(await atBob.session.accept()).toMatchObject({ match: { status: 'active', youAccepted: true } });
  });

  test('is come back to with a new seat when the room moves, and given up when no seat is to be had', async () => {
    const { ann, matchId } = await newMatch();
    const { session, states } = await sit(ann, matchId);
    sendAway(matchId);
    await eventually(() => states).toEqual(['connected', 'reconnecting', 'connected']);
    expect(await session.accept()).toMatchObject({ match: { youAccepted: true } });
    vi.spyOn(Matches.prototype, 'joinable').mockRejectedValueOnce(new DuetError('MATCH_NOT_ACTIVE'));
    let closed = 0;
    session.on('closed', () => {
      closed += 1;
    });
    sendAway(matchId);
    await eventually(() => closed).toBe(1);
    expect(states.slice(3)).toEqual(['reconnecting', 'closed']);
  });

  test('is not to be joined when the match is over', async () => {
    const { ann, bob, matchId } = await newMatch();
    const { session } = await sit(bob, matchId);
    await session.end();
    for (const duet of [ann, bob])
      await expect(duet.joinMatch(matchId)).rejects.toMatchObject({ status: 409, code: 'MATCH_NOT_ACTIVE' });
  });

  test('is not for strangers', async () => {
    const { matchId } = await newMatch();
    const eve = await newcomer();
    await expect(eve.joinMatch(matchId)).rejects.toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });
});

test('discovery comes page by page, everybody once, to its end', async () => {
  const ann = await newcomer();
  const others: Duet[] = [];
  for (let i = 0; i < 5; i++) others.push(await newcomer('nonbinary'));
  await ann.people.updatePreferences({ genders: ['nonbinary'] });
  const pages: string[][] = [];
  for await (const cards of ann.people.discoveryPages(2)) pages.push(cards.map(({ id }) => id));
  expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
  expect(pages.flat().sort()).toEqual(others.map((duet) => duet.auth.userId!).sort());
  await ann.people.updatePreferences({ genders: ['man'] });
  const none = await Array.fromAsync(ann.people.discoveryPages());
  expect(none).toEqual([[]]);
});
