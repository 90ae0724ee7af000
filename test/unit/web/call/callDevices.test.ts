import { afterEach, expect, test, vi } from 'vitest';
import { CallDevices } from '../../../../web/sdk/call/CallDevices.ts';
import { LocalTracks } from '../../../../web/sdk/call/LocalTracks.ts';
import type { MediaLink } from '../../../../web/sdk/call/MediaLink.ts';
import { browserWith, FakeTrack } from './fakeMicrophones.ts';

afterEach(() => vi.unstubAllGlobals());

test('who loses the only microphone sends silence, also by the next transports, until there is one again', async () => {
  const plugged = [new FakeTrack('microphone')];
  const mediaDevices = browserWith(plugged);
  const local = new LocalTracks();
  const silence = new FakeTrack('silence');
  local.silence = () => silence as unknown as MediaStreamTrack;
  const sent: string[] = [];
  const media = {
    produce: async (_: string, track: unknown) => {
      const { name, readyState } = track as FakeTrack;
      // As mediasoup-client does.
      if (readyState === 'ended') throw new Error('track ended');
      sent.push(name);
    },
  } as unknown as MediaLink;
  const devices = new CallDevices(local, {
    media: () => media,
    wantsToTalk: () => true,
    maySend: (kind) => kind === 'audio',
    changed: () => undefined,
  });
  await devices.prepare();
  (devices.track('audio') as unknown as FakeTrack).lose();
  await vi.waitFor(() => expect(devices.failure('audio')).toBe('NotFoundError'));
  await vi.waitFor(() => expect(sent.at(-1)).toBe('silence'));

  sent.length = 0;
  await devices.prepare();
  expect(new Set(sent)).toEqual(new Set(['silence']));

  plugged.push(new FakeTrack('another'));
  mediaDevices.dispatchEvent(new Event('devicechange'));
  await vi.waitFor(() => expect(sent.at(-1)).toBe('another'));
  expect(devices.failure('audio')).toBe(undefined);
  devices.close();
});
