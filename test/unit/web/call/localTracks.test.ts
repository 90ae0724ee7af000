import { afterEach, expect, test, vi } from 'vitest';
import { LocalTracks } from '../../../../web/sdk/call/LocalTracks.ts';
import { browserWith, FakeTrack } from './fakeMicrophones.ts';

afterEach(() => vi.unstubAllGlobals());

class FakeContext {
  static isAllowed = true;
  state = FakeContext.isAllowed ? 'running' : 'suspended';
  createMediaStreamDestination = () => ({ stream: { getAudioTracks: () => [new FakeTrack()] } });
  createConstantSource = () => ({ offset: {}, connect: () => undefined, start: () => undefined });
  resume = async () => {
    if (!FakeContext.isAllowed) throw new DOMException('', 'NotAllowedError');
    this.state = 'running';
  };
  close = async () => {
    if (this.state === 'closed') throw new DOMException('', 'InvalidStateError');
    this.state = 'closed';
  };
}

/** The contexts that are made from now on. */
function noteContexts(): FakeContext[] {
  const contexts: FakeContext[] = [];
  class Noted extends FakeContext {
    constructor() {
      super();
      contexts.push(this);
    }
  }
  vi.stubGlobal('AudioContext', Noted);
  return contexts;
}

test('silence that was made before the page was touched is sent from the answer on', () => {
  vi.stubGlobal('navigator', {});
  const contexts = noteContexts();
  FakeContext.isAllowed = false;
  const local = new LocalTracks();
  const track = local.silence();
  FakeContext.isAllowed = true;
  expect(local.silence()).toBe(track);
  expect(contexts.map(({ state }) => state)).toEqual(['running']);
  local.close();
});

test('closed while the microphone was asked for, it makes nothing that nobody would close', async () => {
  const contexts = noteContexts();
  vi.stubGlobal('navigator', {});
  const local = new LocalTracks();
  local.close();
  expect(await local.open('audio')).toBe(null);
  expect(local.silence()).toBe(null);
  expect(contexts).toEqual([]);
});

test('closed twice, as at the end of a call, it closes what it has once', async () => {
  const contexts = noteContexts();
  vi.stubGlobal('navigator', {});
  const unhandled: unknown[] = [];
  const note = (error: unknown) => void unhandled.push(error);
  process.on('unhandledRejection', note);
  const local = new LocalTracks();
  local.silence();
  local.close();
  local.close();
  await new Promise((done) => setTimeout(done));
  process.off('unhandledRejection', note);
  expect(contexts.map(({ state }) => state)).toEqual(['closed']);
  expect(unhandled).toEqual([]);
});

test('a device that cannot be chosen leaves the one that works alone', async () => {
  vi.stubGlobal('navigator', {
    mediaDevices: Object.assign(new EventTarget(), {
      getUserMedia: async ({ audio }: MediaStreamConstraints) => {
        if (typeof audio === 'object' && audio.deviceId) throw new DOMException('', 'NotReadableError');
        return { getTracks: () => [new FakeTrack()] };
      },
    }),
  });
  const local = new LocalTracks();
  const failed: string[] = [];
  local.on('failed', ({ name }) => failed.push(name));
  const track = await local.open('audio');
  await expect(local.choose('audio', 'other')).rejects.toMatchObject({ name: 'NotReadableError' });
  expect(failed).toEqual([]);
  expect(local.track('audio')).toBe(track);
  expect(track?.readyState).toBe('live');

  local.stop('audio');
  expect(await local.choose('audio', 'other')).toBe(null);
  expect(failed).toEqual(['NotReadableError']);
  local.close();
});

test('a device that is taken away is replaced by another one, or by the next that is plugged in', async () => {
  const plugged = [new FakeTrack(), new FakeTrack()];
  const mediaDevices = browserWith(plugged);
  const local = new LocalTracks();
  const told: unknown[] = [];
  local.on('track', ({ track }) => told.push(track));
  local.on('failed', ({ name }) => told.push(name));
  const takeAway = async (track: MediaStreamTrack | null, news: number) => {
    (track as unknown as FakeTrack).lose();
    await vi.waitFor(() => expect(told).toHaveLength(news), 10_000);
  };
  const first = await local.open('audio');
  await takeAway(first, 2);
  const second = local.track('audio');
  expect(second?.readyState).toBe('live');
  await takeAway(second, 3);
  expect(told).toEqual([first, second, 'NotFoundError']);

  plugged.push(new FakeTrack());
  mediaDevices.dispatchEvent(new Event('devicechange'));
  await vi.waitFor(() => expect(told).toHaveLength(4), 10_000);
  expect(local.track('audio')?.readyState).toBe('live');
  local.close();
});

test('a microphone that something else holds for the moment is asked for again', async () => {
  vi.useFakeTimers();
  let isTaken = true;
  let asked = 0;
  const getUserMedia = async () => {
    asked += 1;
    if (isTaken) throw new DOMException('', 'NotReadableError');
    return { getTracks: () => [new FakeTrack()] };
  };
  vi.stubGlobal('navigator', { mediaDevices: Object.assign(new EventTarget(), { getUserMedia }) });
  const local = new LocalTracks();
  expect(await local.open('audio')).toBe(null);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(asked).toBeGreaterThan(1);
  isTaken = false;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(local.track('audio')?.readyState).toBe('live');

  // Nobody is asked for ever, nor for what was turned off meanwhile.
  isTaken = true;
  local.stop('audio');
  await local.open('audio');
  await vi.advanceTimersByTimeAsync(120_000);
  const last = asked;
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toBe(last);
  await local.open('video');
  local.stop('video');
  await vi.advanceTimersByTimeAsync(120_000);
  expect(asked).toBe(last + 1);
  local.close();
  vi.useRealTimers();
});
