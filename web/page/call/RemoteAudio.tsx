import { useEffect, useRef, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';

/** Plays the other's voice; asks for a tap where the browser wants one first. */
export function RemoteAudio({ session }: { session: CallSession }) {
  const audio = useRef<HTMLAudioElement>(null);
  const [blocked, setBlocked] = useState(false);
  const play = () => {
    audio.current?.play().then(
      () => setBlocked(false),
      (error) => setBlocked(error instanceof DOMException && error.name === 'NotAllowedError'),
    );
  };
  useEffect(() => {
    if (audio.current) audio.current.srcObject = session.remote.audio;
    return session.on('remote', ({ kind, track }) => {
      if (kind === 'audio' && track) play();
    });
  }, [session]);
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: a live voice has no captions. */}
      <audio ref={audio} autoplay data-testid="remote-audio" />
      {blocked && (
        <button type="button" class="button primary unblock" onClick={play}>
          Tap to hear
        </button>
      )}
    </>
  );
}
