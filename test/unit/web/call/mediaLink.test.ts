import * as parameters from 'mediasoup-client/fakeParameters';
import { FakeHandler } from 'mediasoup-client/handlers/FakeHandler';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MediaLink } from '../../../../web/sdk/call/MediaLink.ts';
import { DuetApiError } from '../../../../web/sdk/DuetApiError.ts';

vi.mock('mediasoup-client', async (original) => {
  const real = await original<typeof import('mediasoup-client')>();
  const handlerFactory = FakeHandler.createFactory(parameters);
  return { ...real, Device: { factory: async () => new real.Device({ handlerFactory }) } };
});

function microphone(): MediaStreamTrack {
  const track = Object.assign(new EventTarget(), { kind: 'audio', readyState: 'live', enabled: true });
  return track as unknown as MediaStreamTrack;
}
/** What the room answers, by type; `{}` where there is nothing. */
let answers: Record<string, () => unknown>;
const ask = async <T>(type: string) => (answers[type]?.() ?? {}) as T;
let link: MediaLink;
let broken: number;

beforeEach(() => {
  const opened = () => parameters.generateTransportRemoteParameters();
  const { id: consumerId, ...consumed } = parameters.generateConsumerRemoteParameters({
    codecMimeType: 'audio/opus',
  });
  answers = {
    'media:capabilities': () => ({ rtpCapabilities: parameters.generateRouterRtpCapabilities() }),
    'media:open': opened,
    'media:produce': () => ({ producerId: 'mine' }),
    'media:consume': () => ({ ...consumed, consumerId }),
  };
  link = new MediaLink(ask, Promise.resolve([]), Promise.resolve(undefined));
  link.allow();
  broken = 0;
  link.on('broken', () => {
    broken += 1;
  });
});
afterEach(() => link.close());

const refusing = (code: string) => () => {
  throw new DuetApiError(0, { code });
};

/** What may go wrong for the moment, of a call in which both talk. */
const steps: [type: string, run: () => Promise<unknown>][] = [
  ['media:consume', () => link.consume('theirs')],
  ['media:resume', () => link.consume('theirs')],
  ['media:produce', () => link.produce('audio', microphone())],
  [
    'media:resume',
    async () => {
      await link.produce('audio', microphone());
      await link.setPaused('audio', false);
    },
  ],
];

test.each(steps)(
  '%s that the server cannot do for the moment is done with new transports',
  async (type, run) => {
    answers[type] = refusing('UNAVAILABLE');
    await run().catch(() => undefined);
    expect(broken).toBe(1);
  },
);

test.each(steps)('%s that is refused for good is no reason to begin anew', async (type, run) => {
  answers[type] = refusing('NOT_FOUND');
  await run().catch(() => undefined);
  expect(broken).toBe(0);
});

test('who got ready to hear just after the answer hears the other also when they come back', async () => {
  const prepared = { ...parameters.generateConsumerRemoteParameters({ codecMimeType: 'audio/opus' }) };
  answers['media:prepare'] = () => ({ producerId: 'mine', rtpParameters: prepared.rtpParameters });
  const early = new MediaLink(ask, Promise.resolve([]), Promise.resolve(undefined));
  const heard: (MediaStreamTrack | null)[] = [];
  early.on('remote', ({ track }) => heard.push(track));
  await early.produce('audio', microphone());
  // The other's sound was there before, so it comes in the usual way.
  await early.consume('theirs');
  early.drop('theirs');
  // What was prepared is what they are heard by now.
  await early.consume('theirs after a reload', 'a consumer of the server');
  expect(heard.map((track) => track?.id)).toEqual([heard[0]!.id, heard[1]!.id, undefined, heard[0]!.id]);
  expect(heard[1]).not.toBe(heard[0]);
  early.close();
});
