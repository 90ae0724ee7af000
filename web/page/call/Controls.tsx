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
        class={`control${devices.muted ? ' on' : ''}`}
        data-testid="call-mute"
        onClick={() => void devices.setMuted(!devices.muted)}
      >
        <span class="disc">{devices.muted ? <MicOffIcon /> : <MicIcon />}</span>
        <span>{devices.muted ? 'Unmute' : 'Mute'}</span>
      </button>
      {isVideo ? (
        <button
          type="button"
          class={`control${devices.cameraOff ? ' on' : ''}`}
          data-testid="call-camera"
          onClick={() => void devices.setCameraOff(!devices.cameraOff)}
        >
          <span class="disc">{devices.cameraOff ? <VideoOffIcon /> : <VideoIcon />}</span>
          <span>{devices.cameraOff ? 'Camera on' : 'Camera off'}</span>
        </button>
      ) : (
        <button
          type="button"
          class="control"
          disabled={!isActive || isAsking}
          data-testid="call-upgrade"
          onClick={() => void session.upgrade().catch(sayError)}
        >
          <span class="disc">
            <VideoIcon />
          </span>
          <span>Video</span>
        </button>
      )}
      <button
        type="button"
        class="control"
        disabled={!canExtend}
        title={
          snapshot.extensions >= snapshot.maxExtensions ? 'This call cannot be extended again' : undefined
        }
        data-testid="call-extend"
        onClick={() => void session.extend().catch(sayError)}
      >
        <span class="disc">
          <PlusTimeIcon />
        </span>
        <span>More time</span>
      </button>
      <button type="button" class="control" data-testid="call-devices" onClick={() => setDevicesOpen(true)}>
        <span class="disc">
          <SlidersIcon />
        </span>
        <span>Devices</span>
      </button>
      <button
        type="button"
        class="control hang-up"
        data-testid="call-hangup"
        onClick={() => void session.end()}
      >
        <span class="disc">
          <HangUpIcon size={26} />
        </span>
        <span>Hang up</span>
      </button>
      {devicesOpen && <DeviceMenu session={session} onClose={() => setDevicesOpen(false)} />}
    </div>
  );
}
