import { useEffect, useState } from 'preact/hooks';
import { DuetApiError } from '../../sdk/DuetApiError.ts';
import { duet } from '../duet.ts';
import { Logo } from '../shell/Logo.tsx';
import { NewPasswordField } from '../shell/PasswordField.tsx';
import { useSubmit } from '../shell/useSubmit.ts';
import { Store } from '../store/Store.ts';
import { takeMe } from '../store/session.ts';
import { messageOf } from '../store/toasts.ts';
import { Forgot } from './Forgot.tsx';

type Link = { page: 'verify' | 'reset' | 'forgot' | null; token: string };

/** The link in a mail that opened this page, until it is done with. */
export const mailLink = new Store<Link>(read());

/** What a link in a mail leads to: the address is verified, a new password is set, or a mail for that is asked for. */
export function LinkFromMail() {
  const { page, token } = mailLink.value;
  return (
    <div class="single">
      <section class="panel">
        <Logo size={36} />
        {page === 'verify' && <Verify token={token} />}
        {page === 'reset' && <Reset token={token} />}
        {page === 'forgot' && <Forgot open={leave} />}
      </section>
    </div>
  );
}

function Verify({ token }: { token: string }) {
  const [state, setState] = useState<'busy' | 'done' | { problem: string; isTemporary: boolean }>('busy');
  const check = async () => {
    setState('busy');
    try {
      await duet.auth.verify(token);
      if (duet.auth.isSignedIn) await duet.people.me().then(takeMe, () => undefined);
      setState('done');
    } catch (error) {
      const isTemporary = error instanceof DuetApiError && error.isTemporary;
      setState({ problem: messageOf(error), isTemporary });
    }
  };
  useEffect(() => void check(), [token]);
  if (state === 'busy') return <p role="status">Checking the link.</p>;
  const isTemporary = state !== 'done' && state.isTemporary;
  const problem = isTemporary ? 'The link could not be checked' : 'This link does not work any more';
  return (
    <>
      <h2>{state === 'done' ? 'Your address is verified' : problem}</h2>
      <p>{state === 'done' ? 'You can meet people now.' : state.problem}</p>
      {isTemporary && (
        <button type="button" class="button primary wide" onClick={() => void check()}>
          Try again
        </button>
      )}
      <Leave label={duet.auth.isSignedIn ? 'Go on' : 'Sign in'} />
    </>
  );
}

function Reset({ token }: { token: string }) {
  const [done, setDone] = useState(false);
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    await duet.auth.reset(token, String(form.get('password')));
    setDone(true);
  });
  if (done) {
    return (
      <>
        <h2>The new password is set</h2>
        <p>You are signed out everywhere. Sign in with the new one.</p>
        <Leave label="Sign in" />
      </>
    );
  }
  return (
    <form onSubmit={onSubmit} data-testid="reset">
      <h2>Set a new password</h2>
      <NewPasswordField label="New password" />
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" class="button primary wide" disabled={busy}>
        Set it
      </button>
    </form>
  );
}

function Leave({ label }: { label: string }) {
  return (
    <button type="button" class="button primary wide" data-testid="mail-link-done" onClick={leave}>
      {label}
    </button>
  );
}

function leave(): void {
  mailLink.set({ page: null, token: '' });
}

function read(): Link {
  const url = new URL(location.href);
  const token = url.searchParams.get('token') ?? '';
  const page = pageOf(url.pathname, token);
  // A token in the address bar would end up in the history and in screenshots.
  if (page !== null) history.replaceState(null, '', '/');
  return { page, token };
}

function pageOf(path: string, token: string): Link['page'] {
  if (path === '/forgot-password') return 'forgot';
  if (token === '') return null;
  return path === '/reset-password' ? 'reset' : 'verify';
}
