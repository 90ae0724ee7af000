/** Two scripted people of the soak, from their registration to the end of their accounts: everything that people do. */

import { offerSdp } from '../test/integration/media/sdpSamples.ts';
import { type Inbox, type Json, Person, request } from '../test/support/client.ts';
import { picture } from '../test/support/images.ts';
import { match, registerPerson, TEST_PASSWORD } from '../test/support/signedIn.ts';
import { pause } from './densityServer.ts';
import type { RtpPeople, RtpPerson } from './RtpPeople.ts';

export interface Town {
  /** Of the processes; each request goes to either. */
  urls: readonly string[];
  rtp: RtpPeople;
  /** Resolves with whether another call may begin, when it may. */
  mayCall(): Promise<boolean>;
  /** Something was done, or failed. */
  tell(what: string, error?: unknown): void;
}

const LISTEN_MS = 15_000;
const LOOK_EVERY_MS = 200;
/** How long two people talk at least. */
const TALK_MS = 1_500;
const PLACE = { lat: 48.2, lon: 16.37 };

let serial = 0;
let lastSsrc = 0;

export class SoakCouple {
  readonly #town: Town;
  readonly #matchId: string;
  readonly #people: readonly [Person, Person];
  readonly #inboxes: readonly [Inbox, Inbox];

  /** They register, show themselves, find each other and match; then call each other until the soak ends or one has enough. */
  static async live(town: Town): Promise<void> {
    const people: Person[] = [];
    try {
      for (let i = 0; i < 2; i++) people.push(await register(town));
      const [ann, bob] = people as [Person, Person];
      await Promise.all(people.map((person) => settle(person)));
      const matchId = await match(ann, bob);
      town.tell('match');
      const couple = new SoakCouple(town, matchId, [ann, bob], [await ann.inbox(), await bob.inbox()]);
      await couple.#live();
    } catch (error) {
      town.tell('life', error);
    }
    await Promise.all(people.map((person) => depart(town, person)));
  }

  private constructor(
    town: Town,
    matchId: string,
    people: readonly [Person, Person],
    inboxes: readonly [Inbox, Inbox],
  ) {
    this.#town = town;
    this.#matchId = matchId;
    this.#people = people;
    this.#inboxes = inboxes;
  }

  async #live(): Promise<void> {
    const stories = {
      missed: () => this.#ring(),
      rejected: () => this.#ring('reject'),
      cancelled: () => this.#ring('end'),
      'hung up': () => this.#talk(async () => {}),
      'timed out': () => this.#talk(async (call) => call.isOver()),
      extended: () => this.#talk((call) => call.both('extend')),
      'turned to video': () => this.#talk((call) => this.#video(call)),
      'dropped and returned': () => this.#talk((call) => call.drop({ returns: true })),
      'dropped for good': () => this.#talk((call) => call.drop({ returns: false })),
      glare: () => this.#talk(async () => {}, { isGlare: true }),
      'plain client without media': () => this.#plain(),
      'signed out and in': () => this.#another(),
    };
    // The last thing that they do.
    const ends = {
      blocked: () => this.#talk((call) => this.#person(0).ok('POST', `/users/block/${call.calleeId}`)),
      unmatched: () => this.#talk(() => this.#person(1).ok('POST', `/matches/${this.#matchId}/end`)),
      'account deleted in a call': () => this.#talk(() => depart(this.#town, this.#person(1))),
    };
    for (const story of [...shuffled(stories), shuffled(ends)[0]!]) {
      if (!(await this.#town.mayCall())) return;
      await story[1]().then(
        () => this.#town.tell(story[0]),
        (error: unknown) => this.#town.tell(story[0], error),
      );
    }
  }

  /** A person of the two, by way of either process. */
  #person(which: 0 | 1): Person {
    const { id, email, token } = this.#people[which];
    return new Person(oneOf(this.#town.urls), id, email, token);
  }

  async #ring(end?: 'reject' | 'end'): Promise<void> {
    const { call } = await this.#person(0).ok('POST', `/calls/initiate/${this.#matchId}`, {});
    await this.#hear(1, 'call:incoming', call.id);
    if (end !== undefined) await this.#person(end === 'end' ? 0 : 1).ok('POST', `/calls/${call.id}/${end}`);
    await this.#over(call.id);
  }

  /** An answered call with sound both ways; what is not over after `meanwhile` is hung up. */
  async #talk(meanwhile: (call: Talk) => Promise<unknown>, { isGlare = false } = {}): Promise<void> {
    const initiate = (which: 0 | 1) => this.#person(which).ok('POST', `/calls/initiate/${this.#matchId}`, {});
    const [{ call, seat }] = await Promise.all([initiate(0), isGlare ? initiate(1) : undefined]);
    const isCaller = call.callerId === this.#people[0].id;
    const answered = await this.#person(isCaller ? 1 : 0).ok('POST', `/calls/${call.id}/answer`, {});
    const seats = isCaller ? [seat, answered.seat] : [answered.seat, seat];
    const sitting = new Talk(call.id, this.#people[1].id, {
      sit: async (which, seat) => this.#town.rtp.sit(this.#people[which], seat, ++lastSsrc),
      as: (which) => this.#person(which),
    });
    try {
      await sitting.sit(0, isGlare ? await this.#join(0, call.id) : seats[0]);
      await sitting.sit(1, isGlare ? await this.#join(1, call.id) : seats[1]);
      await sitting.until(({ phase }) => phase === 'active');
      await pause(TALK_MS * (1 + Math.random()));
      await meanwhile(sitting);
      // Refused once it is over; a call that is not tells.
      await this.#person(0).call('POST', `/calls/${call.id}/end`);
      await this.#over(call.id);
    } finally {
      await sitting.leave();
    }
  }

  async #join(which: 0 | 1, callId: string): Promise<Json> {
    return (await this.#person(which).ok('POST', `/calls/${callId}/join`, {})).seat;
  }

  async #video(call: Talk): Promise<void> {
    await call.both('upgrade');
    await call.until(({ media }) => media === 'video');
    await Promise.all(call.sitting.map((one) => one?.produce('video', ++lastSsrc)));
    await pause(TALK_MS);
  }

  /** A bare RTCPeerConnection that offers and is answered, and whose packets never come. */
  async #plain(): Promise<void> {
    const { call } = await this.#person(0).ok('POST', `/calls/initiate/${this.#matchId}`, {});
    const { seat } = await this.#person(1).ok('POST', `/calls/${call.id}/answer`, {});
    const room = await this.#people[1].sit(seat);
    room.onMessage('*', () => {});
    await room.request('call:sdp_offer', { sdp: offerSdp({ ssrc: ++lastSsrc }) });
    await this.#over(call.id);
  }

  /** Another device signs in, looks around and signs out again. */
  async #another(): Promise<void> {
    const { email } = this.#people[0];
    const url = oneOf(this.#town.urls);
    const { body } = await request(url, 'POST', '/api/v1/auth/login', {
      body: { email, password: TEST_PASSWORD },
    });
    const { refreshToken } = body;
    const renewed = await request(url, 'POST', '/api/v1/auth/refresh-token', { body: { refreshToken } });
    const device = new Person(url, body.user.id, email, renewed.body.accessToken);
    await device.inbox();
    await device.ok('GET', '/users/discovery?limit=20');
    await device.ok('GET', '/matches/active');
    await device.ok('POST', '/auth/logout');
    await device.leave();
  }

  async #hear(which: 0 | 1, type: string, callId: string): Promise<void> {
    await this.#inboxes[which].next(type, (event) => event.call.id === callId, LISTEN_MS);
  }

  /** Both have heard of the end, but who has deleted the account. */
  async #over(callId: string): Promise<void> {
    await this.#hear(0, 'call:ended', callId);
    if (this.#inboxes[1].room.connection.isOpen) await this.#hear(1, 'call:ended', callId);
  }
}

/** How either of the two (0 or 1) takes a seat and asks. */
interface Doors {
  sit(which: 0 | 1, seat: Json): Promise<RtpPerson>;
  as(which: 0 | 1): Person;
}

/** A call that the two sit in. */
class Talk {
  readonly callId: string;
  readonly calleeId: string;
  readonly sitting: [RtpPerson?, RtpPerson?] = [];
  readonly #doors: Doors;

  constructor(callId: string, calleeId: string, doors: Doors) {
    this.callId = callId;
    this.calleeId = calleeId;
    this.#doors = doors;
  }

  async sit(which: 0 | 1, seat: Json): Promise<void> {
    this.sitting[which] = await this.#doors.sit(which, seat);
  }

  async both(verb: 'extend' | 'upgrade'): Promise<void> {
    for (const which of [0, 1] as const)
      await this.#doors.as(which).ok('POST', `/calls/${this.callId}/${verb}`);
  }

  /** The second person's socket ends without a word. */
  async drop({ returns }: { returns: boolean }): Promise<void> {
    await this.sitting[1]?.leave(false);
    delete this.sitting[1];
    if (!returns) return this.isOver();
    await pause(TALK_MS / 2);
    const { seat } = await this.#doors.as(1).ok('POST', `/calls/${this.callId}/join`, {});
    await this.sit(1, seat);
    await this.sitting[1]!.up;
  }

  isOver(): Promise<void> {
    return this.until(({ phase }) => phase === 'ended');
  }

  async until(isSo: (call: Json) => boolean): Promise<void> {
    const end = performance.now() + LISTEN_MS;
    for (;;) {
      const { call } = await this.#doors.as(0).ok('GET', `/calls/${this.callId}`);
      if (isSo(call)) return;
      if (performance.now() > end) throw new Error(`the call stays ${call.phase}, ${call.media}`);
      await pause(LOOK_EVERY_MS);
    }
  }

  async leave(): Promise<void> {
    await Promise.all(this.sitting.map((one) => one?.leave()));
  }
}

async function register({ urls, tell }: Town): Promise<Person> {
  serial += 1;
  const email = `soak${serial}@example.org`;
  const url = oneOf(urls);
  const person = await registerPerson(url, { email, displayName: `Soak ${serial}` });
  tell('registered');
  return person;
}

/** A profile with a place and a photo, and a look around. */
async function settle(person: Person): Promise<void> {
  await person.ok('PUT', '/users/me', { bio: 'I talk a lot', location: PLACE });
  const body = await picture(++serial);
  const uploaded = await fetch(`${person.url}/api/v1/users/me/photos`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}`, 'content-type': 'image/jpeg' },
    body: new Uint8Array(body),
  });
  if (uploaded.status !== 201) throw new Error(`a photo: ${uploaded.status} ${await uploaded.text()}`);
  const { url } = (await uploaded.json()) as { url: string };
  const shown = await fetch(new URL(url, person.url));
  await shown.arrayBuffer();
  if (!shown.ok) throw new Error(`a photo: ${shown.status}`);
  await person.ok('GET', '/users/discovery?limit=20');
}

/** Signs in anew where the token has gone, deletes the account and hangs up. */
async function depart({ tell }: Town, person: Person): Promise<void> {
  try {
    const left = await person.call('DELETE', '/users/me', { password: TEST_PASSWORD });
    if (left.status === 202) tell('deleted');
    else if (left.status !== 401) tell('deleted', new Error(`${left.status} ${JSON.stringify(left.body)}`));
    await person.leave();
  } catch (error) {
    tell('deleted', error);
  }
}

function oneOf<T>(some: readonly T[]): T {
  return some[Math.floor(Math.random() * some.length)]!;
}

function shuffled<T>(some: Record<string, T>): [string, T][] {
  return Object.entries(some)
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}
