import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DuetError } from '../../../src/errors.ts';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { ANSWER_TIMEOUT_MS } from '../../../src/media/plain/PlainPeer.ts';
import { PlainPeers } from '../../../src/media/plain/PlainPeers.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { ANN, AUDIO, BEN, codeOf, createCall, startWorkers, until, VIDEO } from './harness.ts';
import { mirroredSdp, offerSdp, sectionsOf } from './sdpSamples.ts';

let workers: MediaWorkers;
let clock: FakeClock;
let call: CallMedia;
let peers: PlainPeers;
let said: { type: string; sdp: string }[];
/** Ben's transport, for a mediasoup client's producers. */
let benSend: string;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());

beforeEach(async () => {
  clock = new FakeClock();
  said = [];
  ({ call } = await createCall(workers));
  peers = new PlainPeers({
    media: call,
    people: [ANN, BEN],
    clock,
    say: (_, type, sdp) => said.push({ type, sdp }),
  });
  benSend = (await call.open(BEN, 'send')).id;
});
afterEach(() => call.close());

const last = () => said.at(-1) ?? { type: '', sdp: '' };

/** The server's m-line of that mid in what it said last. */
const section = (mid: string) => sectionsOf(last().sdp).find((one) => one.mid === mid);

/** Lets the server look what is to be offered; → its offer. */
async function nextOffer(): Promise<string> {
  const before = said.length;
  clock.advance(50);
  await until('an offer', () => said.length > before);
  expect(last().type).toBe('call:sdp_offer');
  return last().sdp;
}

/** Ann's own offer; → what the server answers. */
async function annOffers(sdp: string): Promise<string> {
  await peers.offer(ANN, sdp);
  expect(last().type).toBe('call:sdp_answer');
  return last().sdp;
}

/** Ben speaks, Ann has offered her microphone, and the server offers her Ben. */
async function offeredBen(): Promise<string> {
  await call.produce(BEN, benSend, 'audio', AUDIO(7_000));
  await annOffers(offerSdp());
  return nextOffer();
}

/** The same, and Ann hears him. */
async function hearing(): Promise<string> {
  const offer = await offeredBen();
  await peers.answer(ANN, mirroredSdp(offer));
  return offer;
}

/** Nothing is offered now. */
async function nothingMore(): Promise<void> {
  const before = said.length;
  clock.advance(50);
  // A description of Ann's waits for its turn after what the server does.
  await codeOf(peers.answer(ANN, offerSdp()));
  expect(said).toHaveLength(before);
}

describe('an offer that is not answered in time', () => {
  it('keeps the client’s own out until then', async () => {
    await offeredBen();
    expect(await codeOf(peers.offer(ANN, offerSdp()))).toBe('CONFLICT');
    clock.advance(ANSWER_TIMEOUT_MS);
    expect(await codeOf(peers.offer(ANN, offerSdp()))).toBe('done');
  });

  it('is answered late: the other is heard', async () => {
    const offer = await offeredBen();
    const resume = vi.spyOn(call, 'resume');
    clock.advance(ANSWER_TIMEOUT_MS + 1_000);
    expect(await codeOf(peers.answer(ANN, mirroredSdp(offer)))).toBe('done');
    expect(resume).toHaveBeenCalledTimes(1);
    // An own offer with the server's m-line in it, as for a restart of ICE.
    await annOffers(mirroredSdp(offer));
    expect(section('duet-a')).toMatchObject({ direction: 'sendonly', port: 9 });
  });

  it('may be known to a client that offers instead', async () => {
    const offer = await offeredBen();
    clock.advance(ANSWER_TIMEOUT_MS);
    const resume = vi.spyOn(call, 'resume');
    await annOffers(mirroredSdp(offer));
    expect(section('duet-a')).toMatchObject({ direction: 'sendonly', port: 9 });
    expect(resume).toHaveBeenCalledTimes(1);
  });

  it('may be unknown to a client that offers instead: it is made anew', async () => {
    await offeredBen();
    clock.advance(ANSWER_TIMEOUT_MS);
    // The camera has the place now that the server's m-line was to have.
    await annOffers(offerSdp({ video: true }));
    expect(section('duet-a')).toBeUndefined();
    const offer = await nextOffer();
    expect(sectionsOf(offer).map(({ mid }) => mid)).toEqual(['0', '1', 'duet-a']);
    expect(await codeOf(peers.answer(ANN, mirroredSdp(offer)))).toBe('done');
  });
});

it('an offer of the server’s is not lost among many descriptions of the client’s', async () => {
  await call.produce(BEN, benSend, 'audio', AUDIO(7_000));
  await annOffers(offerSdp());
  const answers = Array.from({ length: 8 }, () => codeOf(peers.answer(ANN, offerSdp())));
  await nextOffer();
  expect(new Set(await Promise.all(answers))).toEqual(new Set(['CONFLICT']));
});

it('an answer of another connection agrees to nothing, and the offer waits for its own', async () => {
  const offer = await offeredBen();
  const answer = mirroredSdp(offer);
  expect(await codeOf(peers.answer(ANN, answer.replaceAll('A7', 'B8')))).toBe('VALIDATION_FAILED');
  expect(await codeOf(peers.answer(ANN, answer))).toBe('done');
});

it('of many descriptions at once as many are taken as may wait', async () => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => codeOf(peers.offer(ANN, offerSdp()))));
  expect(answers).toEqual(['done', 'done', 'done', 'done', 'CONFLICT', 'CONFLICT']);
});

describe('a person on hold', () => {
  it('hears the other again when the client takes the m-line again', async () => {
    const offer = await hearing();
    await annOffers(mirroredSdp(offer, { 'duet-a': 'inactive' }));
    expect(section('duet-a')).toMatchObject({ direction: 'inactive', port: 9 });
    await nothingMore();
    // Held on while ICE is restarted, and then taken back.
    await annOffers(mirroredSdp(offer, { 'duet-a': 'inactive' }));
    await nothingMore();
    await annOffers(mirroredSdp(offer, { 'duet-a': 'recvonly' }));
    const resume = vi.spyOn(call, 'resume');
    const again = await nextOffer();
    expect(section('duet-a')).toMatchObject({ direction: 'sendonly' });
    await peers.answer(ANN, mirroredSdp(again));
    expect(resume).toHaveBeenCalledTimes(1);
  });

  it('may have been so from the first offer on', async () => {
    const offer = await offeredBen();
    await peers.answer(ANN, mirroredSdp(offer, { 'duet-a': 'inactive' }));
    await nothingMore();
    await annOffers(mirroredSdp(offer));
    await nextOffer();
    expect(section('duet-a')).toMatchObject({ direction: 'sendonly' });
  });

  it('is on hold no more with a new connection', async () => {
    const offer = await hearing();
    await annOffers(mirroredSdp(offer, { 'duet-a': 'inactive' }));
    await annOffers(offerSdp().replaceAll('A7', 'B8'));
    await nextOffer();
    expect(section('duet-a')).toMatchObject({ direction: 'sendonly' });
  });
});

describe('a track that cannot be had in passing', () => {
  it.each(['CONFLICT', 'UNAVAILABLE'] as const)('is offered with the next change: %s', async (code) => {
    await annOffers(offerSdp());
    const consume = vi.spyOn(call, 'consume').mockRejectedValueOnce(new DuetError(code));
    await call.produce(BEN, benSend, 'audio', AUDIO(7_000));
    peers.changed();
    // Nothing is offered that would change nothing.
    await nothingMore();
    expect(consume).toHaveBeenCalledTimes(1);
    peers.changed();
    await nextOffer();
    expect(section('duet-a')).toMatchObject({ direction: 'sendonly' });
  });

  it('is not tried again when it cannot be played', async () => {
    await annOffers(offerSdp());
    const consume = vi.spyOn(call, 'consume').mockRejectedValueOnce(new DuetError('VALIDATION_FAILED'));
    await call.produce(BEN, benSend, 'audio', AUDIO(7_000));
    for (let i = 0; i < 3; i += 1) {
      peers.changed();
      await nothingMore();
    }
    expect(consume).toHaveBeenCalledTimes(1);
  });
});

describe('an m-line of the server’s that the client stops', () => {
  /** Ben speaks anew: another producer. */
  async function benAgain(ssrc: number): Promise<string> {
    for (const { producerId } of call.producers(BEN)) call.closeItem(BEN, producerId);
    await call.produce(BEN, benSend, 'audio', AUDIO(ssrc));
    peers.changed();
    return nextOffer();
  }

  it('is answered as rejected, and the next track comes in its place under another mid', async () => {
    let offer = await hearing();
    await annOffers(mirroredSdp(offer, { 'duet-a': 'stopped' }));
    expect(section('duet-a')).toMatchObject({ port: 0, isBundled: false });
    expect(section('0')).toMatchObject({ port: 9, isBundled: true });
    await nothingMore();
    // As long as nothing comes the client repeats it.
    await annOffers(mirroredSdp(offer, { 'duet-a': 'stopped' }));

    const mids = ['duet-a2', 'duet-a', 'duet-a2'];
    for (const [index, mid] of mids.entries()) {
      offer = await benAgain(8_000 + index);
      expect(sectionsOf(offer).map((one) => one.mid)).toEqual(['0', mid]);
      const resume = vi.spyOn(call, 'resume');
      await peers.answer(ANN, mirroredSdp(offer));
      expect(resume).toHaveBeenCalledOnce();
      resume.mockRestore();
      await annOffers(mirroredSdp(offer, { [mid]: 'stopped' }));
      expect(section(mid)).toMatchObject({ port: 0, isBundled: false });
    }
  });

  it('may be stopped in the answer', async () => {
    const offer = await offeredBen();
    await peers.answer(ANN, mirroredSdp(offer, { 'duet-a': 'stopped' }));
    await nothingMore();
    await annOffers(mirroredSdp(offer, { 'duet-a': 'stopped' }));
    expect(section('duet-a')).toMatchObject({ port: 0, isBundled: false });
    expect(sectionsOf(await benAgain(8_000)).map(({ mid }) => mid)).toEqual(['0', 'duet-a2']);
  });

  it('leaves its place to one of the client’s own', async () => {
    const offer = await hearing();
    const stopped = mirroredSdp(offer, { 'duet-a': 'stopped' });
    await annOffers(stopped);
    // The camera is where the server's m-line was.
    await annOffers(offerSdp({ video: true }));
    expect(section('1')).toMatchObject({ port: 9, direction: 'recvonly' });
    expect(sectionsOf(await benAgain(8_000)).map(({ mid }) => mid)).toEqual(['0', '1', 'duet-a']);
  });
});

describe('an m-line of the client’s own', () => {
  it('has one producer for the same source, and another for another', async () => {
    const ids = () => call.producers(ANN).map(({ producerId }) => producerId);
    const offer = await hearing();
    const first = ids();
    await annOffers(mirroredSdp(offer).replaceAll('eTg3', 'eTg4'));
    expect(ids()).toEqual(first);
    await annOffers(mirroredSdp(offer).replaceAll('a=ssrc:3111111', 'a=ssrc:3111112'));
    expect(ids()).toHaveLength(1);
    expect(ids()).not.toEqual(first);
  });

  it('is not rejected while it carries the bundle, though another sends now', async () => {
    const offer = await hearing();
    const [before] = call.producers(ANN);
    const other = { mid: '1', kind: 'audio', ssrc: 4_000 } as const;
    await annOffers(mirroredSdp(offer, { 0: 'inactive' }, [other]));
    expect(sectionsOf(last().sdp).map(({ mid, port, direction }) => [mid, port, direction])).toEqual([
      ['0', 9, 'inactive'],
      ['duet-a', 9, 'sendonly'],
      ['1', 9, 'recvonly'],
    ]);
    expect(call.producers(ANN)).toHaveLength(1);
    expect(call.producers(ANN)).not.toContainEqual(before);
    // Another that is not needed any more may have its place taken.
    await annOffers(
      mirroredSdp(offer, { 0: 'inactive' }, [
        { ...other, direction: 'inactive' },
        { ...other, mid: '2', ssrc: 4_001 },
      ]),
    );
    expect(section('0')).toMatchObject({ port: 9, isBundled: true });
    expect(section('1')).toMatchObject({ port: 0, isBundled: false });
    expect(section('2')).toMatchObject({ port: 9, direction: 'recvonly' });
    expect(call.producers(ANN)).toHaveLength(1);
  });

  it('is rejected when the client stops it in an answer', async () => {
    await call.produce(BEN, benSend, 'audio', AUDIO(7_000));
    await annOffers(offerSdp({ video: true }));
    const offer = await nextOffer();
    await peers.answer(ANN, mirroredSdp(offer, { 1: 'stopped' }));
    expect(call.producers(ANN).map(({ kind }) => kind)).toEqual(['audio']);
    await call.produce(BEN, benSend, 'video', VIDEO(9_000));
    peers.changed();
    // Its place is taken by the other's picture.
    const next = await nextOffer();
    expect(sectionsOf(next).map(({ mid, port }) => [mid, port])).toEqual([
      ['0', 9],
      ['duet-v', 9],
      ['duet-a', 9],
    ]);
  });
});
