import { Field } from './Field.tsx';

type Props = { name?: string; label: string };

/** For a password that is known: password managers fill it in. */
export function PasswordField({ name = 'password', label }: Props) {
  return (
    <Field label={label}>
      <input name={name} type="password" autocomplete="current-password" required />
    </Field>
  );
}

/** For a password that is chosen, by the rules of the server. */
export function NewPasswordField({ name = 'password', label }: Props) {
  return (
    <Field label={label} hint="8 characters or more.">
      <input name={name} type="password" autocomplete="new-password" required minLength={8} maxLength={256} />
    </Field>
  );
}
