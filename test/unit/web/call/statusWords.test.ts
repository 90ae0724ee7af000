import { expect, test } from 'vitest';
import { isPeerLost, statusWords } from '../../../../web/page/call/statusWords.ts';
import type { CallSession } from '../../../../web/sdk/call/CallSession.ts';
import type { Presence } from '../../../../web/sdk/call/CallSnapshot.ts';

const HERE: Presence = { connected: true, audio: true, video: false, e2ee: 'on', e2eeAble: true };
const GONE: Presence = { ...HERE, connected: false, audio: false };

function sessionWith(peer: Presence, phase = 'active'): CallSession {
  return {
    userId: 'me',
    peerId: 'sam',
    link: 'connected',
    videoStep: 'full',
    snapshot: { phase, media: 'audio', callerId: 'me', people: { sam: peer } },
    devices: { muted: false, failure: () => undefined },
  } as unknown as CallSession;
}

test('who has fallen out of the call is said to be gone, not muted; who is there and sends no sound is muted', () => {
  expect(statusWords(sessionWith(GONE), 'Sam')).toBe('Sam lost the connection and is coming back.');
  expect(isPeerLost(sessionWith(GONE))).toBe(true);
  expect(statusWords(sessionWith({ ...HERE, audio: false }), 'Sam')).toBe('Sam is muted');
  expect(statusWords(sessionWith(HERE), 'Sam')).toBe(null);
});

test('who cannot be seen in a video call is told so, unless they turned the camera off', () => {
  const session = sessionWith({ ...HERE, video: true });
  const withCamera = (media: string, cameraOff: boolean) =>
    ({
      ...session,
      snapshot: { ...session.snapshot, media },
      devices: {
        muted: false,
        cameraOff,
        failure: (kind: string) => (kind === 'video' ? 'NotAllowedError' : undefined),
      },
    }) as unknown as CallSession;
  expect(statusWords(withCamera('video', false), 'Sam')).toBe('Sam cannot see you: no camera.');
  expect(statusWords(withCamera('video', true), 'Sam')).toBe(null);
  expect(statusWords(withCamera('audio', false), 'Sam')).toBe(null);
});

test('who has not come yet is not lost', () => {
  expect(statusWords(sessionWith(GONE, 'ringing'), 'Sam')).toBe('Ringing');
  expect(statusWords(sessionWith(GONE, 'connecting'), 'Sam')).toBe('Connecting');
});
