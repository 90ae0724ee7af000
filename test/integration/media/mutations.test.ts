import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DuetError } from '../../../src/errors.ts';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { MEDIA_MESSAGES, type MediaMessage, type MediaMessageType } from '../../../src/media/messages.ts';
import { ANN, AUDIO, BEN, CAPABILITIES, codeOf, createCall, startWorkers } from './harness.ts';
import { mutate, seeded } from './mutate.ts';
import { audioParameters, dtlsParameters, videoParameters } from './rtpSamples.ts';

const ROUNDS = 10_000;
const EXPECTED = new Set(['done', 'VALIDATION_FAILED', 'NOT_FOUND', 'CONFLICT']);
const SEED = 20_260_101;

let workers: MediaWorkers;

beforeAll(async () => {
  workers = await startWorkers();
});
afterAll(() => workers.close());

it(`survives ${ROUNDS} damaged messages: each a clear refusal, no worker dead or wedged`, {
  timeout: 180_000,
}, async () => {
  const random = seeded(SEED);
  const { call, told } = await createCall(workers);
  const { pid } = workers.processes[0]!.worker;
  const setup = await Setup.of(call);
  const unexpected: { code: string; damaged: string }[] = [];
  const tally = { refused: 0, passed: 0, 'refused by the worker': 0 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const [type, payload] = await setup.sample(round);
    const damaged = mutate(payload, random);
    const parsed = MEDIA_MESSAGES[type].safeParse(damaged);
    if (!parsed.success) {
      tally.refused += 1;
    } else {
      const code = await outcomeOf(setup.send(type, parsed.data));
      if (!EXPECTED.has(code)) unexpected.push({ code, damaged: inspect(damaged, { depth: 9 }) });
      if (code === 'done') tally.passed += 1;
      else tally['refused by the worker'] += 1;
    }
    if (round % 250 === 0) expect(await workers.processes[0]!.worker.getResourceUsage()).toBeTruthy();
  }
  expect(unexpected).toEqual([]);
  // The damage must be of all kinds: refused by the schema, by the worker, and harmless.
  expect(tally.refused).toBeGreaterThan(ROUNDS / 4);
  expect(tally.passed).toBeGreaterThan(ROUNDS / 50);
  expect(tally['refused by the worker']).toBeGreaterThan(ROUNDS / 50);

  expect(told.filter((one) => one.event === 'lost')).toEqual([]);
  expect(workers.processes.map((process) => process.worker.pid)).toEqual([pid]);
  expect(await setup.works()).toBe(true);
  call.close();
  expect((await workers.processes[0]!.worker.dump()).routerIds).toEqual([]);
});

/** One call that is brought back to a usable state between messages. */
class Setup {
  readonly #call: CallMedia;
  #annSend = '';
  #producerId = '';
  #benSend = '';
  /** Whether the last message reached the worker; a refused one leaves everything as it was. */
  #used = true;

  static async of(call: CallMedia): Promise<Setup> {
    const setup = new Setup(call);
    await setup.#fresh();
    return setup;
  }

  constructor(call: CallMedia) {
    this.#call = call;
  }

  /** A message that would be accepted, of each type in turn. */
  async sample(round: number): Promise<[MediaMessageType, unknown]> {
    if (this.#used) await this.#fresh();
    const transportId = this.#annSend;
    switch (round % 7) {
      case 0:
        return ['media:produce', { transportId, kind: 'video', rtpParameters: videoParameters() }];
      case 1:
        return ['media:produce', { transportId, kind: 'video', rtpParameters: simulcast() }];
      case 2:
        return ['media:connect', { transportId, dtlsParameters: dtlsParameters() }];
      case 3:
        return [
          'media:consume',
          { producerId: this.#producerId, rtpCapabilities: this.#call.rtpCapabilities },
        ];
      case 4:
        return ['media:restart_ice', { transportId }];
      case 5:
        return [
          'media:prepare',
          {
            transportId: this.#benSend,
            rtpParameters: audioParameters(),
            rtpCapabilities: this.#call.rtpCapabilities,
          },
        ];
      default:
        return ['media:produce', { transportId, kind: 'audio', rtpParameters: audioParameters() }];
    }
  }

  async send(type: MediaMessageType, payload: unknown): Promise<unknown> {
    this.#used = true;
    if (type === 'media:produce') {
      const { transportId, kind, rtpParameters } = payload as MediaMessage<'media:produce'>;
      if (kind === 'audio') this.#call.closeItem(ANN, this.#producerId);
      const producerId = await this.#call.produce(ANN, transportId, kind, rtpParameters);
      // What the worker took, the other person must be able to be offered.
      return this.#call.consume(BEN, producerId, CAPABILITIES(this.#call));
    }
    if (type === 'media:consume') {
      const { producerId, rtpCapabilities } = payload as MediaMessage<'media:consume'>;
      return this.#call.consume(BEN, producerId, rtpCapabilities);
    }
    if (type === 'media:prepare') {
      const { transportId, rtpParameters, rtpCapabilities } = payload as MediaMessage<'media:prepare'>;
      // The call is answered: what is prepared starts at once.
      return this.#call.prepare(BEN, transportId, rtpParameters, rtpCapabilities);
    }
    if (type === 'media:connect') {
      const { transportId, dtlsParameters: dtls } = payload as MediaMessage<'media:connect'>;
      return this.#call.connect(ANN, transportId, dtls);
    }
    return this.#call.restartIce(ANN, (payload as MediaMessage<'media:restart_ice'>).transportId);
  }

  async works(): Promise<boolean> {
    await this.#fresh();
    const consumed = await codeOf(this.#call.consume(BEN, this.#producerId, CAPABILITIES(this.#call)));
    return (
      consumed === 'done' &&
      (await codeOf(this.#call.consume(BEN, randomUUID(), CAPABILITIES(this.#call)))) === 'NOT_FOUND'
    );
  }

  async #fresh(): Promise<void> {
    this.#annSend = (await this.#call.open(ANN, 'send')).id;
    this.#benSend = (await this.#call.open(BEN, 'send')).id;
    await this.#call.open(BEN, 'recv');
    this.#producerId = await this.#call.produce(ANN, this.#annSend, 'audio', AUDIO(9_999));
    this.#used = false;
  }
}

function simulcast() {
  const parameters = videoParameters();
  const encodings = [6_001, 6_002, 6_003].map((ssrc) => ({
    ssrc,
    dtx: false,
    scalabilityMode: 'L1T3',
    maxBitrate: 300_000,
  }));
  return { ...parameters, encodings };
}

/** The code of a refusal; anything that is not a `DuetError` under its own text. */
async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof DuetError ? error.code : `not a DuetError: ${error}`),
  );
}
