import { describe, expect, it } from 'vitest';
import { RefreshTokens } from '../../../src/accounts/RefreshTokens.ts';
import { newId } from '../../../src/ids.ts';

const A = { current: 'one-secret-of-at-least-32-characters-for-tests' };
const B = { current: 'another-secret-of-at-least-32-characters-too' };

describe('refresh tokens', () => {
  it('carry their session, and only the server makes them', () => {
    const tokens = new RefreshTokens(A);
    const sessionId = newId();
    const token = tokens.first(sessionId);
    expect(tokens.read(token)).toEqual({ sessionId, hash: tokens.hash(token), genuine: true });
    expect(new RefreshTokens(B).read(token)).toMatchObject({ sessionId, genuine: false });
    expect(tokens.first(sessionId)).not.toBe(token);
  });

  it('have one child each, which only the server can tell', () => {
    const tokens = new RefreshTokens(A);
    const parent = tokens.first(newId());
    const child = tokens.child(parent);
    expect(new RefreshTokens(A).child(parent)).toBe(child);
    expect(new RefreshTokens(B).child(parent)).not.toBe(child);
    expect(child).not.toBe(parent);
    expect(tokens.read(child)).toMatchObject({ sessionId: tokens.read(parent)!.sessionId, genuine: true });
  });

  it('find the child of the key before a rotation', () => {
    const parent = new RefreshTokens(B).first(newId());
    const child = new RefreshTokens(B).child(parent);
    const rotating = new RefreshTokens({ ...A, previous: B.current });
    expect(rotating.childWithHash(parent, rotating.hash(child))).toBe(child);
    expect(rotating.read(child)?.genuine).toBe(true);
    expect(new RefreshTokens(A).childWithHash(parent, rotating.hash(child))).toBeUndefined();
  });

  it('have one spelling and one length', () => {
    const tokens = new RefreshTokens(A);
    const token = tokens.first(newId());
    for (const other of [
      `${token}=`,
      `${token}A`,
      token.slice(1),
      `${token} `,
      '',
      'x',
      token.replace(/.$/, '!'),
      `${token}${token}`,
    ]) {
      expect(tokens.read(other), other).toBeUndefined();
    }
    const flipped = (token.startsWith('A') ? 'B' : 'A') + token.slice(1);
    expect(tokens.read(flipped)?.genuine).toBe(false);
  });

  it('have a csrf value of their session', () => {
    const tokens = new RefreshTokens(A);
    const [one, other] = [newId(), newId()];
    expect(tokens.isCsrf(one, tokens.csrf(one))).toBe(true);
    expect(tokens.isCsrf(other, tokens.csrf(one))).toBe(false);
    expect(tokens.isCsrf(one, '')).toBe(false);
    expect(new RefreshTokens({ ...B, previous: A.current }).isCsrf(one, tokens.csrf(one))).toBe(true);
  });
});
