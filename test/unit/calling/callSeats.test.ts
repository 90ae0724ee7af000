import { expect, test } from 'vitest';
import { CallSeats } from '../../../src/calling/CallSeats.ts';
import type { Call } from '../../../src/calling/state.ts';

const ringing = { phase: 'ringing', calleeId: 'bob' } as Call;
const answered = { phase: 'connecting', calleeId: 'bob' } as Call;

/** Bob's clients in a call; `join` says whether one is let in beside the one that is there. */
function begin() {
  const seats = new CallSeats<{ name: string }>();
  const ask = (call: Call, returns = false) => seats.give(call, 'bob', returns);
  const there: { name: string }[] = [];
  const join = (name: string, terms: ReturnType<typeof ask>) => {
    const client = { name };
    const isIn = seats.take(client, terms, `sign-in of ${name}`, there);
    if (isIn) there.splice(0, there.length, client);
    return isIn;
  };
  return { ask, join, answer: () => seats.answers(there[0]!) };
}

test('the last to come in has the seat, while it rings and where it was asked for since', () => {
  const { ask, join, answer } = begin();
  expect(join('phone', ask(ringing))).toBe(true);
  expect(join('tablet', ask(ringing))).toBe(true);
  answer();
  expect(join('phone', ask(answered))).toBe(true);
});

test('who talks is not thrown out by what rang there too, or came back by itself on another device', () => {
  const { ask, join, answer } = begin();
  expect(join('phone', ask(ringing))).toBe(true);
  const early = ask(ringing);
  answer();
  expect(join('tablet', early)).toBe(false);
  expect(join('tablet', ask(answered, true))).toBe(false);
  expect(join('phone', ask(answered, true))).toBe(true);
});

test('an older seat does not take the place of a later one', () => {
  const { ask, join } = begin();
  const [first, second] = [ask(answered), ask(answered)];
  expect(join('phone', second)).toBe(true);
  expect(join('phone', first)).toBe(false);
});

test('only who is called waits', () => {
  const seats = new CallSeats<object>();
  expect(seats.give(ringing, 'bob', false)).toEqual({ nth: 1, waits: true, returns: false });
  expect(seats.give(ringing, 'ann', false)).toEqual({ nth: 2, waits: false, returns: false });
});

test('who neither waited nor was called talks from the moment they are in: what rang for them elsewhere stays out', () => {
  const { ask, join } = begin();
  const early = ask(ringing);
  const first = ask(answered);
  expect(join('phone', first)).toBe(true);
  expect(join('tablet', { ...early, nth: first.nth + 1 })).toBe(false);
});

test('a client that never took a seat keeps nobody out', () => {
  const seats = new CallSeats<object>();
  const terms = seats.give(answered, 'bob', false);
  expect(seats.take({}, terms, 'sign-in', [{}])).toBe(true);
});
