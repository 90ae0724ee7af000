import { useState } from 'preact/hooks';
import type { Me } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { Field } from '../shell/Field.tsx';
import { useSubmit } from '../shell/useSubmit.ts';
import { say } from '../store/toasts.ts';

/** The address, the password, and leaving for good. */
export function Account({ me }: { me: Me }) {
  const [open, setOpen] = useState<'password' | 'delete' | null>(null);
  const close = () => setOpen(null);
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
        <button type="button" class="button small" onClick={() => setOpen('password')}>
          Change password
        </button>
        <button type="button" class="button small" onClick={() => setOpen('delete')}>
          Delete account
        </button>
      </div>
      {open === 'password' && (
        <Dialog title="Change password" onClose={close}>
          <PasswordForm onDone={close} />
        </Dialog>
      )}
      {open === 'delete' && (
        <Dialog title="Delete account" onClose={close}>
          <DeleteForm onDone={close} />
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
      <FormEnd busy={busy} problem={problem} label="Change it" onCancel={onDone} />
    </form>
  );
}

function DeleteForm({ onDone }: { onDone: () => void }) {
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    await duet.people.deleteMe(String(form.get('password')));
    duet.auth.end('logout');
    say('Your account is closed and will be erased.');
  });
  return (
    <form onSubmit={onSubmit}>
      <p>Nobody will see you from now on. After a while everything about you is erased.</p>
      <Field label="Password">
        <input name="password" type="password" autocomplete="current-password" required />
      </Field>
      <FormEnd busy={busy} problem={problem} label="Delete my account" onCancel={onDone} />
    </form>
  );
}

type FormEndProps = { busy: boolean; problem: string | null; label: string; onCancel: () => void };

function FormEnd({ busy, problem, label, onCancel }: FormEndProps) {
  return (
    <>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row-end">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="button primary" disabled={busy}>
          {label}
        </button>
      </div>
    </>
  );
}
