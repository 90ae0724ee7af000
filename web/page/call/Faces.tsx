import { useEffect, useRef } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { Card } from '../../sdk/types.ts';
import { CoverPhoto } from '../shell/Photo.tsx';
import { prefersStill } from '../shell/prefersStill.ts';
import { Countdown, CountdownRing } from './Countdown.tsx';
import { isPeerLost, statusWords } from './statusWords.ts';
import { useLevel } from './useLevel.ts';

type Props = { session: CallSession; peer: Card };

/** The other person, as a face or as a photo that glows with their voice, and what the call is doing. */
export function Faces({ session, peer }: Props) {
  const stage = useRef<HTMLDivElement>(null);
  const own = useRef<HTMLSpanElement>(null);
  const { snapshot } = session;
  const voice = session.remote.audio.getAudioTracks()[0];
  const picture = session.videoStep === 'off' ? undefined : session.remote.video.getVideoTracks()[0];
  const isStill = prefersStill();
  useLevel(stage, isStill ? null : voice);
  useLevel(own, isStill || session.devices.muted ? null : session.devices.track('audio'));
  const isVideo = snapshot.media === 'video';
  const status = statusWords(session, peer.displayName);
  const isWaiting = snapshot.phase === 'ringing' || snapshot.phase === 'connecting';
  return (
    <div class="call-stage" ref={stage}>
      {isVideo && (
        <>
          <Video
            class="video-them"
            testId="remote-video"
            stream={session.remote.video}
            on={Boolean(picture)}
            label={peer.displayName}
          />
          <OwnVideo session={session} />
        </>
      )}
      {!(isVideo && picture) && (
        <div class={`portrait${isWaiting ? ' waiting' : ''}${isPeerLost(session) ? ' lost' : ''}`}>
          <span class="glow glow-them" aria-hidden="true" />
          <span class="glow glow-you" aria-hidden="true" ref={own} />
          <div class="portrait-photo">
            <CoverPhoto person={peer} />
          </div>
          {!isVideo && snapshot.phase === 'active' && <CountdownRing session={session} />}
        </div>
      )}
      {!isVideo && (
        <>
          <h1>{peer.displayName}</h1>
          <Countdown session={session} />
        </>
      )}
      {status && (
        <p class="call-status" role="status" data-testid="call-status">
          {status}
        </p>
      )}
    </div>
  );
}

function OwnVideo({ session }: { session: CallSession }) {
  const track = session.devices.track('video');
  const stream = useRef(new MediaStream());
  useEffect(() => {
    for (const old of stream.current.getTracks()) stream.current.removeTrack(old);
    if (track) stream.current.addTrack(track);
  }, [track]);
  return (
    <Video
      class="video-you"
      testId="local-video"
      stream={stream.current}
      on={track !== null}
      muted
      label="You"
    />
  );
}

type VideoProps = {
  class: string;
  testId: string;
  stream: MediaStream;
  on: boolean;
  muted?: boolean;
  label?: string;
};

function Video({ class: name, testId, stream, on, label }: VideoProps) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current && video.current.srcObject !== stream) video.current.srcObject = stream;
    if (on) video.current?.play().catch(() => undefined);
  }, [stream, on]);
  // Always muted: the voice has an element of its own, which plays on when the picture goes.
  return (
    <video
      ref={video}
      class={`${name}${on ? '' : ' off'}`}
      autoplay
      playsInline
      muted
      aria-label={label}
      data-testid={testId}
    />
  );
}
