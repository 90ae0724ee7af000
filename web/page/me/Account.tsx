import { useState } from 'preact/hooks';
import type { Me } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { Field } from '../shell/Field.tsx';
import { useSubmit } from '../shell/useSubmit.ts';
import { say } from '../store/toasts.ts';

/** The address and the password. */
export function Account({ me }: { me: Me }) {
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  return (
    <section class="panel">
      <h2>Account</h2>
      <p>
        {me.email}{' '}
        <span class={`tag ${me.emailVerified ? 'good' : ''}`}>
          {me.emailVerified ? 'verified' : 'not verified'}
        </span>
      </p>
      <div class="row">
        <button type="button" class="button small" onClick={() => setOpen(true)}>
          Change password
        </button>
      </div>
      {open && (
        <Dialog title="Change password" onClose={close}>
          <PasswordForm onDone={close} />
        </Dialog>
      )}
    </section>
  );
}

function PasswordForm({ onDone }: { onDone: () => void }) {
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    await duet.auth.changePassword(String(form.get('current')), String(form.get('new')));
    say('Your password is changed. You were signed out everywhere else.');
    onDone();
  });
  return (
    <form onSubmit={onSubmit}>
      <Field label="Current password">
        <input name="current" type="password" autocomplete="current-password" required />
      </Field>
      <Field label="New password" hint="8 characters or more.">
        <input
          name="new"
          type="password"
          autocomplete="new-password"
          required
          minLength={8}
          maxLength={256}
        />
      </Field>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row-end">
        <button type="button" class="button" onClick={onDone}>
          Cancel
        </button>
        <button type="submit" class="button primary" disabled={busy}>
          Change it
        </button>
      </div>
    </form>
  );
}
