/** What goes in and out of accounts, as the contract has it: one schema a body, unknown fields refused. */
import { z } from 'zod';
import { normalized } from '../normalized.ts';
import { MIN_BIRTH_DATE } from '../people/age.ts';
import { DisplayName, Gender, Me } from '../people/shapes.ts';
import { Id, Time } from '../shapes.ts';
import { MAX_RAW_EMAIL } from './emailKey.ts';

const MIN_PASSWORD = 8;
const MAX_PASSWORD = 256;
const MAX_EMAIL = 254;

/**
 * RFC 5321 section 4.5.3.1.3 bounds the path; the pattern is the HTML standard's, plus letters beyond ASCII. Mails go to
 * the address in the form that it is compared in (NFKC): "ｒobin@…" is counted as Robin's, so Robin gets the mail.
 */
export const Email = z
  .string()
  .max(MAX_RAW_EMAIL, { error: 'must be an email address', abort: true })
  .transform((value, ctx) => {
    const text = normalized(value, 'NFKC', MAX_RAW_EMAIL)?.trim();
    if (text !== undefined) return text;
    ctx.addIssue({ code: 'custom', message: 'must be an email address' });
    return z.NEVER;
  })
  .pipe(
    z
      .string()
      .max(MAX_EMAIL, { abort: true })
      .regex(
        /^[^\s@<>(),;:\\"[\]\p{Cc}\p{Cf}]{1,64}@[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?(?:\.[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?)*$/u,
        'must be an email address',
      ),
  )
  .meta({ id: 'Email', format: 'email' });

/** Counted in characters (code points), used exactly as typed. */
export const NewPassword = z
  .string()
  .max(2 * MAX_PASSWORD, { error: `must have at most ${MAX_PASSWORD} characters`, abort: true })
  .refine((value) => length(value) >= MIN_PASSWORD, `must have at least ${MIN_PASSWORD} characters`)
  .refine((value) => length(value) <= MAX_PASSWORD, `must have at most ${MAX_PASSWORD} characters`)
  .meta({ description: `${MIN_PASSWORD} to ${MAX_PASSWORD} characters, none of the most common passwords` });

/** A password that is checked, not chosen. */
const GivenPassword = z
  .string()
  .min(1)
  .max(2 * MAX_PASSWORD);

const BirthDate = z.iso
  .date()
  .refine((date) => date >= MIN_BIRTH_DATE, `must not be before ${MIN_BIRTH_DATE}`)
  .meta({ description: `YYYY-MM-DD, from ${MIN_BIRTH_DATE} on; ages are counted by the day in UTC` });

const OneTimeToken = z.string().min(1).max(512);

export const RegisterBody = z.strictObject({
  email: Email,
  password: NewPassword,
  displayName: DisplayName,
  birthDate: BirthDate,
  gender: Gender,
});
export type RegisterBody = z.output<typeof RegisterBody>;

export const VerifyEmailBody = z.strictObject({ token: OneTimeToken });
export const EmailBody = z.strictObject({ email: Email });
export const ResetPasswordBody = z.strictObject({ token: OneTimeToken, password: NewPassword });
export const LoginBody = z.strictObject({ email: Email, password: GivenPassword });
export const RefreshBody = z.strictObject({ refreshToken: z.string().min(1).max(512).optional() });
export const ChangePasswordBody = z.strictObject({
  currentPassword: GivenPassword,
  newPassword: NewPassword,
});

export const DeleteAccountBody = z.strictObject({ password: GivenPassword });

export const Accepted = z.strictObject({ message: z.string() });

export const Tokens = z
  .strictObject({
    accessToken: z.string(),
    accessTokenExpiresAt: Time,
    refreshToken: z.string().nullable().meta({ description: 'null in cookie mode: it is in the cookie' }),
    refreshTokenExpiresAt: Time,
    deviceId: Id,
    user: Me,
    restored: z
      .literal(true)
      .optional()
      .meta({ description: 'On signing in: the account had been deleted, and is had back by that' }),
  })
  .meta({ id: 'Tokens' });
export type Tokens = z.infer<typeof Tokens>;

export const SessionItem = z
  .strictObject({
    id: Id,
    current: z.boolean(),
    deviceId: Id,
    deviceName: z.string().meta({ description: 'Browser and system, such as "Firefox on Linux"' }),
    address: z.string().meta({ description: 'Where it signed in from, shortened to its network' }),
    createdAt: Time,
    lastUsedAt: Time,
    expiresAt: Time,
  })
  .meta({ id: 'Session' });
export type SessionItem = z.infer<typeof SessionItem>;

function length(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
