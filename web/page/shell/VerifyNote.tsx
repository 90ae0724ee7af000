import { useState } from 'preact/hooks';
import { duet } from '../duet.ts';
import { useStore } from '../store/Store.ts';
import { session } from '../store/session.ts';
import { sayError } from '../store/toasts.ts';
import { DevMail } from '../welcome/DevMail.tsx';

/** Until the address is verified, nobody sees one and one can like nobody: says so. */
export function VerifyNote() {
  const { me } = useStore(session);
  const [sent, setSent] = useState(false);
  if (!me || me.emailVerified) return null;
  return (
    <div class="note">
      <p>
        Open the link we sent to <strong>{me.email}</strong> to start meeting people.
      </p>
      <button
        type="button"
        class="link"
        disabled={sent}
        onClick={() => duet.auth.resendVerification(me.email).then(() => setSent(true), sayError)}
      >
        {sent ? 'Sent again' : 'Send it again'}
      </button>
      <DevMail to={me.email} />
    </div>
  );
}
