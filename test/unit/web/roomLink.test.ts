import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Auth } from '../../../web/sdk/Auth.ts';
import { DuetApiError } from '../../../web/sdk/DuetApiError.ts';
import type { Http } from '../../../web/sdk/Http.ts';
import { RoomLink } from '../../../web/sdk/RoomLink.ts';
import { Seats } from '../../../web/sdk/Seats.ts';
import { ServerClock } from '../../../web/sdk/ServerClock.ts';
import type { Seat } from '../../../web/sdk/types.ts';
import { FakeRoom, fakeSeats } from './FakeRoom.ts';

const { consume } = vi.hoisted(() => ({ consume: vi.fn() }));
vi.mock('@colyseus/sdk', () => ({
  Client: class {
    auth = {};
    consumeSeatReservation = consume;
  },
}));

const SEAT = { name: 'call', roomId: 'r', processId: 'p', sessionId: 's', serverNow: 0 } satisfies Seat;

beforeEach(() => {
  vi.useFakeTimers();
  consume.mockReset();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test('a link that was closed while it waited for a token takes no seat', async () => {
  let giveToken: (token: string) => void = () => undefined;
  const auth = {
    accessToken: () =>
      new Promise<string>((resolve) => {
        giveToken = resolve;
      }),
  } as unknown as Auth;
  const seats = new Seats({ baseUrl: 'http://duet.test' } as Http, auth, new ServerClock());
  consume.mockImplementation(async () => Object.assign(new FakeRoom(), { reconnection: {} }));

  const link = new RoomLink({ seats, askForSeat: async () => SEAT });
  link.open(SEAT);
  link.close();
  giveToken('token');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(consume).not.toHaveBeenCalled();

  const other = new RoomLink({ seats, askForSeat: async () => SEAT });
  other.open(SEAT);
  giveToken('token');
  await vi.advanceTimersByTimeAsync(0);
  expect(consume).toHaveBeenCalledTimes(1);
  expect(other.state).toBe('connected');
});

test('a room that was good for a while is soon asked for again, also when it is renewed', async () => {
  const { seats, rooms } = fakeSeats();
  const link = new RoomLink({ seats, askForSeat: async () => SEAT });
  link.open();
  await vi.advanceTimersByTimeAsync(0);
  for (let nth = 0; nth < 8; nth++) {
    await vi.advanceTimersByTimeAsync(6_000);
    link.renew();
    await vi.advanceTimersByTimeAsync(260);
    expect(link.state).toBe('connected');
  }
  expect(rooms).toHaveLength(9);
});

test('a room that is lost again and again is asked for ever later', async () => {
  const { seats } = fakeSeats();
  const link = new RoomLink({ seats, askForSeat: async () => SEAT });
  link.open();
  await vi.advanceTimersByTimeAsync(0);
  for (let nth = 0; nth < 5; nth++) {
    link.renew();
    await vi.advanceTimersByTimeAsync(5_000);
  }
  link.renew();
  await vi.advanceTimersByTimeAsync(2_400);
  expect(link.state).toBe('reconnecting');
});

test('a seat that another device has by now is a CONFLICT, refused or sent off on the way in', async () => {
  const auth = { accessToken: async () => undefined } as unknown as Auth;
  const seats = new Seats({ baseUrl: 'http://duet.test' } as Http, auth, new ServerClock());
  for (const [message, code] of [
    ['CONFLICT', 500],
    ['', 4101],
  ] as const) {
    consume.mockRejectedValue(Object.assign(new Error(message), { code }));
    const link = new RoomLink({ seats, askForSeat: async () => SEAT });
    const closed = vi.fn();
    link.on('closed', closed);
    link.open();
    await vi.advanceTimersByTimeAsync(0);
    expect(closed).toHaveBeenCalledWith({ error: expect.objectContaining({ code: 'CONFLICT' }) });
  }
});

/** Seats in rooms of their own, taken when the test says so. */
function slowSeats() {
  const taken: { seat: Seat; room: FakeRoom; letIn: () => void; refuse: (error: Error) => void }[] = [];
  const take = (seat: Seat) =>
    new Promise<unknown>((resolve, reject) => {
      const room = new FakeRoom();
      taken.push({ seat, room, letIn: () => resolve(room), refuse: reject });
    });
  return { taken, seats: { take } as unknown as Seats };
}

test('a seat that is handed over is taken in the place of the one that is on its way', async () => {
  const { taken, seats } = slowSeats();
  const link = new RoomLink({ seats, askForSeat: async () => SEAT });
  const rooms: unknown[] = [];
  link.on('up', (room) => rooms.push(room));
  const mine = { ...SEAT, sessionId: 'mine' };
  link.open(SEAT);
  link.sit(mine);
  await vi.advanceTimersByTimeAsync(0);
  expect(taken.map(({ seat }) => seat)).toEqual([SEAT, mine]);
  taken[0]!.letIn();
  taken[1]!.letIn();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(rooms).toEqual([taken[1]!.room]);
  expect(taken[0]!.room.hasLeft).toBe(true);

  // And of one that one sits on; that its room throws out who is replaced is no news.
  link.sit(SEAT);
  taken[1]!.room.drop(4101);
  await vi.advanceTimersByTimeAsync(0);
  taken[2]!.letIn();
  await vi.advanceTimersByTimeAsync(0);
  expect(link.state).toBe('connected');
  expect(taken[1]!.room.hasLeft).toBe(true);
  expect(rooms).toHaveLength(2);
});

test('nor does an earlier seat that is refused, or was about to be asked for, come between', async () => {
  const { taken, seats } = slowSeats();
  const askForSeat = vi.fn(async () => SEAT);
  const link = new RoomLink({ seats, askForSeat });
  link.open(SEAT);
  await vi.advanceTimersByTimeAsync(0);
  link.sit(SEAT);
  taken[0]!.refuse(new DuetApiError(409, { code: 'CONFLICT' }));
  await vi.advanceTimersByTimeAsync(0);
  expect(link.state).toBe('connecting');
  taken[1]!.letIn();
  await vi.advanceTimersByTimeAsync(0);
  taken[1]!.room.drop(1006);
  link.sit(SEAT);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(askForSeat).not.toHaveBeenCalled();
  taken[2]!.letIn();
  await vi.advanceTimersByTimeAsync(0);
  expect(link.state).toBe('connected');
});

test('where a given seat is refused another one is asked for, and that refusal counts', async () => {
  const { taken, seats } = slowSeats();
  const link = new RoomLink({ seats, askForSeat: async () => SEAT });
  const conflict = new DuetApiError(409, { code: 'CONFLICT' });
  link.open(SEAT);
  for (const state of ['reconnecting', 'closed']) {
    await vi.advanceTimersByTimeAsync(300);
    taken.at(-1)!.refuse(conflict);
    await vi.advanceTimersByTimeAsync(0);
    expect(link.state).toBe(state);
  }
  expect(taken).toHaveLength(2);
});

test('a refused request says what the room said, also how long to wait', async () => {
  const { seats, rooms } = fakeSeats();
  const link = new RoomLink({ seats, askForSeat: async () => SEAT });
  link.open();
  await vi.advanceTimersByTimeAsync(0);
  const refuse = (reason: unknown) => () => Promise.reject(Object.assign(new Error(), { reason }));
  rooms[0]!.answers['call:end'] = refuse({ code: 'TOO_MANY_REQUESTS', message: 'Later.', retryAfterSec: 12 });
  rooms[0]!.answers['call:reject'] = refuse({ code: 'WRONG_PHASE', message: 'No.', retryAfterSec: 'soon' });
  await expect(link.request('call:end')).rejects.toMatchObject({
    status: 0,
    code: 'TOO_MANY_REQUESTS',
    message: 'Later.',
    retryAfterSec: 12,
  });
  await expect(link.request('call:reject')).rejects.toMatchObject({ retryAfterSec: undefined });
});

test('where the browser says that the network is gone every room is given up, and asked for when it is back', async () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const { seats, rooms } = fakeSeats();
  let isOffline = false;
  const askForSeat = async () => {
    if (isOffline) throw DuetApiError.network();
    return SEAT;
  };
  const links = [new RoomLink({ seats, askForSeat }), new RoomLink({ seats, askForSeat })];
  for (const link of links) link.open();
  await vi.advanceTimersByTimeAsync(10_000);
  isOffline = true;
  page.dispatchEvent(new Event('offline'));
  expect(links.map(({ state }) => state)).toEqual(['reconnecting', 'reconnecting']);
  expect(rooms.map(({ hasLeft }) => hasLeft)).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(60_000);
  isOffline = false;
  page.dispatchEvent(new Event('online'));
  await vi.advanceTimersByTimeAsync(0);
  expect(links.map(({ state }) => state)).toEqual(['connected', 'connected']);

  // Closed, it listens no more.
  links[0]!.close();
  page.dispatchEvent(new Event('offline'));
  expect(links.map(({ state }) => state)).toEqual(['closed', 'reconnecting']);
  links[1]!.close();
});
