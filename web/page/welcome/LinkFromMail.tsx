import { useEffect, useState } from 'preact/hooks';
import { duet } from '../duet.ts';
import { Field } from '../shell/Field.tsx';
import { Logo } from '../shell/Logo.tsx';
import { useSubmit } from '../shell/useSubmit.ts';
import { Store } from '../store/Store.ts';
import { takeMe } from '../store/session.ts';
import { messageOf } from '../store/toasts.ts';

/** The token of the link that opened this page, and what it is for. */
export const mailToken = new Store<{ token: string | null; isReset: boolean }>(read());

/** What a link in a mail leads to: the address is verified, or a new password is set. */
export function LinkFromMail() {
  const { token, isReset } = mailToken.value;
  return (
    <div class="single">
      <section class="panel">
        <Logo size={36} />
        {isReset ? <Reset token={token ?? ''} /> : <Verify token={token ?? ''} />}
      </section>
    </div>
  );
}

function Verify({ token }: { token: string }) {
  const [state, setState] = useState<'busy' | 'done' | { problem: string }>('busy');
  useEffect(() => {
    duet.auth
      .verify(token)
      .then(async () => {
        if (duet.auth.isSignedIn) takeMe(await duet.people.me());
        setState('done');
      })
      .catch((error) => setState({ problem: messageOf(error) }));
  }, [token]);
  if (state === 'busy') return <p role="status">Checking the link.</p>;
  return (
    <>
      <h2>{state === 'done' ? 'Your address is verified' : 'This link does not work any more'}</h2>
      <p>{state === 'done' ? 'You can meet people now.' : state.problem}</p>
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
      <Field label="New password" hint="8 characters or more.">
        <input
          name="password"
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
      <button type="submit" class="button primary wide" disabled={busy}>
        Set it
      </button>
    </form>
  );
}

function Leave({ label }: { label: string }) {
  return (
    <button
      type="button"
      class="button primary wide"
      data-testid="mail-link-done"
      onClick={() => mailToken.set({ token: null, isReset: false })}
    >
      {label}
    </button>
  );
}

function read(): { token: string | null; isReset: boolean } {
  const url = new URL(location.href);
  const token = url.searchParams.get('token');
  const isReset =
    url.pathname.includes('reset') || url.search.includes('reset') || url.hash.includes('reset');
  // A token in the address bar would end up in the history and in screenshots.
  if (token) history.replaceState(null, '', '/');
  return { token, isReset };
}
