import { useState } from 'preact/hooks';
import { duet } from '../duet.ts';
import { Field } from '../shell/Field.tsx';
import { text, useSubmit } from '../shell/useSubmit.ts';
import { DevMail } from './DevMail.tsx';
import type { Door } from './Welcome.tsx';

/** Asks for a mail with a link that sets a new password. */
export function Forgot({ open }: { open: (door: Door) => void }) {
  const [sentTo, setSentTo] = useState<string | null>(null);
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    const email = text(form, 'email');
    await duet.auth.forgot(email);
    setSentTo(email);
  });
  return (
    <form onSubmit={onSubmit} data-testid="forgot">
      <h2>Forgot the password?</h2>
      {sentTo ? (
        <>
          <p>
            If there is an account for <strong>{sentTo}</strong>, a mail with a link is on its way.
          </p>
          <DevMail to={sentTo} />
        </>
      ) : (
        <>
          <Field label="Email">
            <input name="email" type="email" autocomplete="username" required />
          </Field>
          {problem && (
            <p class="problem" role="alert">
              {problem}
            </p>
          )}
          <button type="submit" class="button primary wide" disabled={busy}>
            Send me a link
          </button>
        </>
      )}
      <p class="panel-foot">
        <button type="button" class="link" onClick={() => open('sign-in')}>
          Back to sign-in
        </button>
      </p>
    </form>
  );
}
