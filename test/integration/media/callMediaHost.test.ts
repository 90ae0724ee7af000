/** The media of a call over the lives of its workers: what happens while it is being made, and after it was lost. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CallMediaHost } from '../../../src/calling/CallMediaHost.ts';
import { SystemClock } from '../../../src/clock.ts';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import type { CallMediaOptions } from '../../../src/media/callMediaPort.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { ANN, AUDIO, BEN, codeOf, recorder, startWorkers, until, VIDEO } from './harness.ts';

let workers: MediaWorkers;

beforeAll(async () => {
  workers = await startWorkers({ count: 2 });
});
afterAll(() => workers.close());

const routers = async () => {
  const dumps = await Promise.all(workers.processes.map(({ worker }) => worker.dump()));
  return dumps.flatMap(({ routerIds }) => routerIds).length;
};

/** A host whose media is made by `create`, by default by the workers. */
function hostOf(create = (options: CallMediaOptions) => workers.createCall(options)) {
  let restarts = 0;
  const { producerAdded, producerPaused, producerClosed, quality, videoStepped, flowing } = recorder([]);
  const host = new CallMediaHost({
    people: [ANN, BEN],
    policy: { audio: false, video: false },
    create,
    clock: new SystemClock(),
    flowing,
    audience: {
      producerAdded,
      producerPaused,
      producerClosed,
      quality,
      videoStepped,
      restart: () => {
        restarts += 1;
      },
      sdp: () => {},
    },
  });
  return { host, restarts: () => restarts };
}

/** What the media says to audio and to video of Ann. */
async function allowed(media: CallMedia): Promise<string[]> {
  const { id } = await media.open(ANN, 'send');
  return [
    await codeOf(media.produce(ANN, id, 'audio', AUDIO())),
    await codeOf(media.produce(ANN, id, 'video', VIDEO())),
  ];
}

/** `workers.createCall`, which waits before it hands the media on until `open` is called. */
function gate() {
  const { promise, resolve: open } = Promise.withResolvers<void>();
  const create = async (options: CallMediaOptions) => {
    const media = await workers.createCall(options);
    await promise;
    return media;
  };
  return { create, open };
}

describe('the host of a call’s media', () => {
  it('is bound by the policy that came while the media was being made', async () => {
    const { create, open } = gate();
    const { host } = hostOf(create);
    const made = host.get();
    host.setPolicy({ audio: true, video: false });
    open();
    expect(await allowed(await made)).toEqual(['done', 'FORBIDDEN']);
    host.setPolicy({ audio: true, video: true });
    expect(await allowed(await host.get())).toEqual(['done', 'done']);
    host.close();
  });

  it('keeps nothing of a call that was closed while its media was being made', async () => {
    const before = await routers();
    const { create, open } = gate();
    const { host } = hostOf(create);
    const made = host.get();
    host.close();
    open();
    const media = await made;
    expect(await codeOf(media.open(ANN, 'send'))).not.toBe('done');
    expect(await routers()).toBe(before);
  });

  it('makes the media anew when its worker is lost, under the policy of the day', async () => {
    const { host, restarts } = hostOf();
    const first = await host.get();
    host.setPolicy({ audio: true, video: true });
    expect(await allowed(first)).toEqual(['done', 'done']);
    expect(host.producers(ANN)).toHaveLength(2);

    for (const { worker } of workers.processes)
      if ((await worker.dump()).routerIds.length > 0) process.kill(worker.pid, 'SIGKILL');
    await until('the clients are told to begin again', () => restarts() === 1);
    expect(host.producers(ANN)).toEqual([]);
    const second = await host.get();
    expect(second).not.toBe(first);
    expect(await allowed(second)).toEqual(['done', 'done']);
    expect(host.producers(ANN)).toHaveLength(2);
    host.close();
  });

  it('tries again after no worker could serve it', async () => {
    let refusals = 1;
    const { host } = hostOf((options) =>
      refusals-- > 0 ? Promise.reject(new Error('no worker')) : workers.createCall(options),
    );
    expect(await codeOf(host.get())).toBe('no worker');
    expect(await codeOf(host.get())).toBe('done');
    host.close();
  });

  it('leaves nothing behind when it is closed', async () => {
    const before = await routers();
    const { host } = hostOf();
    const media = await host.get();
    host.setPolicy({ audio: true, video: false });
    await allowed(media);
    expect(await routers()).toBe(before + 1);
    host.close();
    expect(await routers()).toBe(before);
    expect(host.producers(ANN)).toEqual([]);
  });
});
