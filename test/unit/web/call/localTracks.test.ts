import { afterEach, expect, test, vi } from 'vitest';
import { LocalTracks } from '../../../../web/sdk/call/LocalTracks.ts';

afterEach(() => vi.unstubAllGlobals());

class FakeTrack extends EventTarget {
  readyState = 'live';
  stop(): void {
    this.readyState = 'ended';
  }
}

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
