import { useEffect, useRef, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { Field } from '../shell/Field.tsx';
import { sayError } from '../store/toasts.ts';
import { useCall } from './useCall.ts';
import { useLevel } from './useLevel.ts';

/** Which microphone and camera, and whether one is heard. */
export function DeviceMenu({ session, onClose }: { session: CallSession; onClose: () => void }) {
  useCall(session);
  const meter = useRef<HTMLDivElement>(null);
  const { devices, snapshot } = session;
  useLevel(meter, devices.muted ? null : devices.track('audio'));
  return (
    <Dialog title="Microphone and camera" onClose={onClose}>
      <DeviceChoice session={session} kind="audio" label="Microphone" />
      <div class="meter" ref={meter} aria-hidden="true">
        <span />
      </div>
      {devices.failure('audio') && <p class="problem">{failureWords(devices.failure('audio'))}</p>}
      {snapshot.media === 'video' && (
        <>
          <DeviceChoice session={session} kind="video" label="Camera" />
          {devices.failure('video') && <p class="problem">{failureWords(devices.failure('video'))}</p>}
          <button
            type="button"
            class="button wide"
            data-testid="call-downgrade"
            onClick={() => {
              onClose();
              session.downgrade().catch(sayError);
            }}
          >
            Back to voice only, for both
          </button>
        </>
      )}
      <div class="row-end">
        <button type="button" class="button primary" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}

type ChoiceProps = { session: CallSession; kind: 'audio' | 'video'; label: string };

function DeviceChoice({ session, kind, label }: ChoiceProps) {
  const [found, setFound] = useState<MediaDeviceInfo[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const { devices } = session;
  useEffect(() => {
    const look = () => void devices.list(kind).then(setFound);
    look();
    return session.on('local', look);
  }, [session, devices, kind]);
  const chosen = devices.track(kind)?.getSettings().deviceId;
  const choose = async (select: HTMLSelectElement) => {
    setProblem(null);
    await devices.choose(kind, select.value).catch((error) => {
      select.value = chosen ?? '';
      setProblem(`${failureWords(error?.name)} You go on with the one before.`);
    });
  };
  return (
    <Field label={label} hint={problem ?? undefined}>
      <select
        value={chosen}
        data-testid={`device-${kind}`}
        onChange={(event) => void choose(event.currentTarget)}
      >
        {found.map((device, index) => (
          <option key={device.deviceId} value={device.deviceId} selected={device.deviceId === chosen}>
            {device.label || `${label} ${index + 1}`}
          </option>
        ))}
      </select>
    </Field>
  );
}

function failureWords(name: string | undefined): string {
  switch (name) {
    case 'NotAllowedError':
      return 'The browser is not allowed to use it. Change that beside the address.';
    case 'NotFoundError':
      return 'None was found.';
    case 'NotReadableError':
      return 'Another program is using it.';
    default:
      return 'It does not work at the moment.';
  }
}
