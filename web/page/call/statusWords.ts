import type { CallSession } from '../../sdk/call/CallSession.ts';

/** Whether the other has fallen out of the call, also before this page was there to hear of it. */
export function isPeerLost({ snapshot, peerId }: CallSession): boolean {
  return snapshot.phase === 'active' && snapshot.people[peerId]?.connected === false;
}

/** What the call is doing, where that is worth a word. */
export function statusWords(session: CallSession, name: string): string | null {
  const { snapshot } = session;
  if (session.link === 'reconnecting') return 'Reconnecting. Your call is still there.';
  if (isPeerLost(session)) return `${name} lost the connection and is coming back.`;
  if (session.devices.failure('audio')) return `${name} cannot hear you: no microphone.`;
  if (snapshot.media === 'video' && !session.devices.cameraOff && session.devices.failure('video'))
    return `${name} cannot see you: no camera.`;
  if (snapshot.phase === 'ringing') return snapshot.callerId === session.userId ? 'Ringing' : 'Answering';
  if (snapshot.phase === 'connecting') return 'Connecting';
  const peerMuted = snapshot.people[session.peerId]?.audio === false;
  if (session.devices.muted) return peerMuted ? `You and ${name} are muted` : 'You are muted';
  if (peerMuted) return `${name} is muted`;
  if (session.videoStep === 'off') return 'Your connection is weak, so the picture waits';
  if (snapshot.media === 'video' && snapshot.people[session.peerId]?.video === false)
    return `${name}’s camera is off`;
  return null;
}
