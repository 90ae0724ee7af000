import { duet } from '../duet.ts';
import { Field } from '../shell/Field.tsx';
import { PasswordField } from '../shell/PasswordField.tsx';
import { text, useSubmit } from '../shell/useSubmit.ts';
import type { Door } from './Welcome.tsx';

/** Sign in with an account. */
export function SignIn({ open }: { open: (door: Door) => void }) {
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    await duet.auth.login(text(form, 'email'), String(form.get('password')));
  });
  return (
    <form onSubmit={onSubmit} data-testid="sign-in">
      <h2>Sign in</h2>
      <Field label="Email">
        <input name="email" type="email" autocomplete="username" required />
      </Field>
      <PasswordField label="Password" />
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" class="button primary wide" disabled={busy}>
        {busy ? 'Signing in' : 'Sign in'}
      </button>
      <p class="panel-foot">
        <button type="button" class="link" data-testid="open-register" onClick={() => open('register')}>
          Create an account
        </button>
        <button type="button" class="link" data-testid="open-forgot" onClick={() => open('forgot')}>
          Forgot the password?
        </button>
      </p>
    </form>
  );
}
