import { useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import {
  HangUpIcon,
  MicIcon,
  MicOffIcon,
  PlusTimeIcon,
  SlidersIcon,
  VideoIcon,
  VideoOffIcon,
} from '../shell/icons.tsx';
import { sayError } from '../store/toasts.ts';
import { DeviceMenu } from './DeviceMenu.tsx';

/** What one can do in a call. */
export function Controls({ session }: { session: CallSession }) {
  const [devicesOpen, setDevicesOpen] = useState(false);
  const { snapshot, devices } = session;
  const isActive = snapshot.phase === 'active';
  const isVideo = snapshot.media === 'video';
  const isAsking = snapshot.pending !== null;
  const canExtend = isActive && !isAsking && snapshot.extensions < snapshot.maxExtensions;
  return (
    <div class="call-controls">
      <button
        type="button"
        class="round"
        aria-pressed={devices.muted}
        aria-label={devices.muted ? 'Unmute' : 'Mute'}
        data-testid="call-mute"
        onClick={() => void devices.setMuted(!devices.muted)}
      >
        {devices.muted ? <MicOffIcon /> : <MicIcon />}
      </button>
      {isVideo ? (
        <button
          type="button"
          class="round"
          aria-pressed={devices.cameraOff}
          aria-label={devices.cameraOff ? 'Turn camera on' : 'Turn camera off'}
          data-testid="call-camera"
          onClick={() => void devices.setCameraOff(!devices.cameraOff)}
        >
          {devices.cameraOff ? <VideoOffIcon /> : <VideoIcon />}
        </button>
      ) : (
        <button
          type="button"
          class="round labelled"
          disabled={!isActive || isAsking}
          data-testid="call-upgrade"
          onClick={() => void session.upgrade().catch(sayError)}
        >
          <VideoIcon />
          <span>See each other</span>
        </button>
      )}
      <button
        type="button"
        class="round labelled"
        disabled={!canExtend}
        title={
          snapshot.extensions >= snapshot.maxExtensions ? 'This call cannot be extended again' : undefined
        }
        data-testid="call-extend"
        onClick={() => void session.extend().catch(sayError)}
      >
        <PlusTimeIcon />
        <span>More time</span>
      </button>
      <button
        type="button"
        class="round"
        aria-label="Microphone and camera"
        data-testid="call-devices"
        onClick={() => setDevicesOpen(true)}
      >
        <SlidersIcon />
      </button>
      <button
        type="button"
        class="round large hang-up"
        aria-label="Hang up"
        data-testid="call-hangup"
        onClick={() => void session.end()}
      >
        <HangUpIcon size={28} />
      </button>
      {devicesOpen && <DeviceMenu session={session} onClose={() => setDevicesOpen(false)} />}
    </div>
  );
}
