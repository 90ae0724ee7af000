import { useState } from 'preact/hooks';
import type { Gender } from '../../sdk/types.ts';
import { duet } from '../duet.ts';
import { GENDERS } from '../people/words.ts';
import { Field } from '../shell/Field.tsx';
import { NewPasswordField } from '../shell/PasswordField.tsx';
import { text, useSubmit } from '../shell/useSubmit.ts';
import { DevMail } from './DevMail.tsx';
import type { Door } from './Welcome.tsx';

/** Create an account; the rest is in the mail. */
export function Register({ open }: { open: (door: Door) => void }) {
  const [sentTo, setSentTo] = useState<string | null>(null);
  const { busy, problem, onSubmit } = useSubmit(async (form) => {
    const email = text(form, 'email');
    await duet.auth.register({
      email,
      password: String(form.get('password')),
      displayName: text(form, 'displayName'),
      birthDate: text(form, 'birthDate'),
      gender: text(form, 'gender') as Gender,
    });
    setSentTo(email);
  });
  if (sentTo) {
    return (
      <div class="stack" data-testid="register-sent">
        <h2>Look into your mail</h2>
        <p>
          We wrote to <strong>{sentTo}</strong>. Open the link in it, then sign in.
        </p>
        <DevMail to={sentTo} />
        <button type="button" class="button wide" onClick={() => open('sign-in')}>
          Back to sign-in
        </button>
      </div>
    );
  }
  return (
    <form onSubmit={onSubmit} data-testid="register">
      <h2>Create an account</h2>
      <Field label="First name" hint="What others see.">
        <input name="displayName" autocomplete="given-name" required maxLength={50} />
      </Field>
      <div class="field-row">
        <Field label="Born on">
          <input name="birthDate" type="date" autocomplete="bday" required max={adultSince()} />
        </Field>
        <Field label="I am a">
          <select name="gender" required>
            {GENDERS.map(({ value, label }) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <Field label="Email">
        <input name="email" type="email" autocomplete="username" required />
      </Field>
      <NewPasswordField label="Password" />
      <p class="field field-hint">By creating an account you agree to the terms and the privacy notice.</p>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <button type="submit" class="button primary wide" disabled={busy}>
        {busy ? 'One moment' : 'Create account'}
      </button>
      <p class="panel-foot">
        <button type="button" class="link" onClick={() => open('sign-in')}>
          I have one already
        </button>
      </p>
    </form>
  );
}

/** The last birth date of those who are 18 today. */
function adultSince(): string {
  const date = new Date();
  date.setFullYear(date.getFullYear() - 18);
  return date.toISOString().slice(0, 10);
}
