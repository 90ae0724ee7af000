import { describe, expect, it } from 'vitest';
import { mailboxKey } from '../../../src/accounts/Bans.ts';
import {
  GIVEN_STATUSES,
  judgeStatusChange,
  type Standing,
  statusAfter,
} from '../../../src/accounts/statusRule.ts';

const user: Standing = { id: 'u', role: 'user', status: 'active', eraseAt: null };

describe('a change of status', () => {
  it('is for users, whatever their status was', () => {
    for (const status of GIVEN_STATUSES) {
      for (const to of GIVEN_STATUSES)
        expect(judgeStatusChange('a', { ...user, status }, to)).toBeUndefined();
    }
  });

  it('is refused for oneself and for admins (AZ-11)', () => {
    for (const to of GIVEN_STATUSES) {
      expect(judgeStatusChange('u', user, to)).toBe('CONFLICT');
      expect(judgeStatusChange('a', { ...user, role: 'admin' }, to)).toBe('CONFLICT');
      expect(judgeStatusChange('a', { ...user, id: 'a', role: 'admin' }, to)).toBe('CONFLICT');
    }
  });

  it('of who deleted the account can only be a ban', () => {
    const leaving: Standing = { ...user, status: 'deleted', eraseAt: 1 };
    expect(GIVEN_STATUSES.map((to) => judgeStatusChange('a', leaving, to))).toEqual([
      'CONFLICT',
      'CONFLICT',
      undefined,
    ]);
    // The ban is taken back, the deletion is not.
    const banned: Standing = { ...leaving, status: 'banned' };
    expect(GIVEN_STATUSES.map((to) => judgeStatusChange('a', banned, to))).toEqual([
      undefined,
      'CONFLICT',
      undefined,
    ]);
    expect(statusAfter(banned, 'active')).toBe('deleted');
    expect(statusAfter(leaving, 'banned')).toBe('banned');
    expect(statusAfter({ ...banned, eraseAt: null }, 'active')).toBe('active');
  });
});

describe('the mailbox that a ban is known by', () => {
  it.each([
    ['Robin@Example.org', 'robin@example.org'],
    ['robin+dates@example.org', 'robin@example.org'],
    ['r.o.bin@example.org', 'robin@example.org'],
    ['robin@googlemail.com', 'robin@gmail.com'],
    ['+tag@example.org', '+tag@example.org'],
    ['ｒobin@example.org', 'robin@example.org'],
  ])('of %s is %s', (email, key) => {
    expect(mailboxKey(email)).toBe(key);
  });
});
