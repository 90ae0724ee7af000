import { DuetError } from '../errors.ts';
import { isCommonPassword, isOwnName } from './commonPasswords.ts';

/** Throws VALIDATION_FAILED for a password that anybody would guess. Its length is checked by its schema. */
export function choosePassword(password: string, path: string, ownNames: readonly string[]): void {
  const message = isCommonPassword(password)
    ? 'is one of the most common passwords; choose another'
    : isOwnName(password, ownNames)
      ? 'must not be your address or name'
      : undefined;
  if (message !== undefined) throw new DuetError('VALIDATION_FAILED', { details: [{ path, message }] });
}
