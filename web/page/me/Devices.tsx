import { useEffect, useState } from 'preact/hooks';
import type { SignedInDevice } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { dayText } from '../people/words.ts';
import { say, sayError } from '../store/toasts.ts';

const MOST = 100;

/** Where one is signed in, and signing a device out that one does not have any more. */
export function Devices() {
  const [devices, setDevices] = useState<SignedInDevice[]>([]);
  useEffect(() => {
    // What is not known is not shown: the list is there to be looked at, not to be waited for.
    duet.auth.sessions({ limit: MOST }).then(({ items }) => setDevices(items), console.warn);
  }, []);
  if (devices.length === 0) return null;
  const signOut = async (device: SignedInDevice) => {
    try {
      await duet.auth.endSession(device.id);
      setDevices((now) => now.filter((other) => other.id !== device.id));
      say(`${device.deviceName} is signed out.`);
    } catch (error) {
      sayError(error);
    }
  };
  return (
    <section class="panel" data-testid="devices">
      <h2>Where you are signed in</h2>
      <ul class="plain-list">
        {devices.map((device) => (
          <li key={device.id} data-testid="device" data-current={device.current}>
            <span>
              {device.deviceName}{' '}
              <small class="quiet">
                {device.current
                  ? 'this device'
                  : `last used ${dayText(device.lastUsedAt)}, from ${device.address}`}
              </small>
            </span>
            {!device.current && (
              <button
                type="button"
                class="link"
                aria-label={`Sign out ${device.deviceName}`}
                data-testid="device-sign-out"
                onClick={() => void signOut(device)}
              >
                Sign out
              </button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
