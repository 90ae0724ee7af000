import { useEffect, useState } from 'preact/hooks';
import type { CallSession } from '../../sdk/call/CallSession.ts';
import type { EncryptionSnapshot } from '../../sdk/e2ee/encryptionRule.ts';
import type { Card } from '../../sdk/types.ts';
import { LockIcon, LockOpenIcon } from '../shell/icons.tsx';
import { say } from '../store/toasts.ts';
import { encryptionLabel } from './encryptionTexts.ts';
import { SafetyWords } from './SafetyWords.tsx';
import { useDoubt } from './useDoubt.ts';

type Props = { session: CallSession; peer: Card };

/** Whether anybody but the two can listen, always in sight; behind it the words to compare. */
export function Encryption({ session, peer }: Props) {
  const [isOpen, setOpen] = useState(false);
  const { encryption } = session;
  const { snapshot } = encryption;
  const isDoubted = useDoubt(session);
  useWarning(snapshot, peer.displayName);
  const isTalking = session.snapshot.phase === 'connecting' || session.snapshot.phase === 'active';
  if (!isTalking) return <span />;
  return (
    <>
      <button
        type="button"
        class="lock"
        data-testid="call-e2ee"
        data-state={snapshot.state}
        data-reason={snapshot.reason ?? ''}
        data-sends={snapshot.sends}
        data-changed={snapshot.peerDevice === 'changed'}
        data-doubted={isDoubted}
        onClick={() => setOpen(true)}
      >
        {snapshot.state === 'off' || isDoubted ? <LockOpenIcon size={18} /> : <LockIcon size={18} />}
        <span>{encryptionLabel(snapshot, isDoubted)}</span>
      </button>
      {isOpen && (
        <SafetyWords session={session} peer={peer} isDoubted={isDoubted} onClose={() => setOpen(false)} />
      )}
    </>
  );
}

/** A device that was never seen before may be a new phone, or somebody in between. */
function useWarning({ peerDevice }: EncryptionSnapshot, name: string): void {
  useEffect(() => {
    if (peerDevice === 'changed') {
      say(`${name} calls from a device that you have not met. Compare the words to be sure.`, {
        tone: 'bad',
      });
    }
  }, [peerDevice, name]);
}
