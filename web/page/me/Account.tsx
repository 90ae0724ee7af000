import { useState } from 'preact/hooks';
import { DuetApiError } from '../../sdk/DuetApiError.ts';
import type { Me } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { Dialog } from '../shell/Dialog.tsx';
import { NewPasswordField, PasswordField } from '../shell/PasswordField.tsx';
import { useSubmit } from '../shell/useSubmit.ts';
import { deleteAccount } from '../store/session.ts';
import { say, sayError } from '../store/toasts.ts';

/** Who is asked for it is signed in: the address is not in question. */
const WRONG_PASSWORD = { INVALID_CREDENTIALS: 'This is not your current password.' };

/** The address and the password, what is held, and the end of it. */
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
        <button type="button" class="button small" onClick={() => void download().catch(sayNotGiven)}>
          Download my data
        </button>
        <button
          type="button"
          class="button small"
          data-testid="delete-account"
          onClick={() => setOpen('delete')}
        >
          Delete account
        </button>
        {me.role === 'admin' && (
          <button type="button" class="button small" onClick={() => void openMonitor().catch(sayError)}>
            Monitor
          </button>
        )}
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
  }, WRONG_PASSWORD);
  return (
    <form onSubmit={onSubmit}>
      <PasswordField name="current" label="Current password" />
      <NewPasswordField name="new" label="New password" />
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

function DeleteForm({ onDone }: { onDone: () => void }) {
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    await deleteAccount(String(form.get('password')));
    say('Your account is deleted. A mail says until when you can have it back.');
  }, WRONG_PASSWORD);
  return (
    <form onSubmit={onSubmit} class="stack" data-testid="delete-form">
      <p>
        Nobody sees you from now on, and your matches end. For a while, a mail says until when, signing in
        takes it back. Then everything is erased, photos and all.
      </p>
      <PasswordField label="Password" />
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
          Delete it
        </button>
      </div>
    </form>
  );
}

/** The monitor is a page of its own: its cookie is all that it gets of this session. */
async function openMonitor(): Promise<void> {
  const token = await duet.auth.accessToken();
  const headers = { authorization: `Bearer ${token}` };
  const { ok } = await fetch('/monitor/session', { method: 'POST', headers }).catch(() => ({ ok: false }));
  if (!ok) throw DuetApiError.network();
  location.assign('/monitor');
}

function sayNotGiven(error: unknown): void {
  const isLate = error instanceof DuetApiError && error.code === 'FORBIDDEN';
  if (isLate)
    say('Sign out and in again first: your data is given out soon after that only.', { tone: 'bad' });
  else sayError(error);
}

/** Saves everything that is held as a file; the server gives it out soon after signing in only. */
async function download(): Promise<void> {
  const held = await duet.people.exportMe();
  const url = URL.createObjectURL(new Blob([JSON.stringify(held, null, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'duet-export.json';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url));
}
