import { describe, expect, it } from 'vitest';
import { GRACE_MS, judgeRefresh } from '../../../src/accounts/refreshRule.ts';

const NOW = Date.UTC(2030, 0, 1);
const [CURRENT, PARENT, OLD] = ['current', 'parent', 'old'].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
];
const session = {
  status: 'active',
  token_hash: CURRENT,
  previous_hash: PARENT,
  rotated_at: NOW - GRACE_MS,
  expires_at: NOW + 1,
  revoked_at: null,
};
const judge = (
  hash: Buffer,
  change: Partial<typeof session> | { revoked_at: number } | { previous_hash: null } = {},
  genuine = true,
) => judgeRefresh({ ...session, ...change }, { hash, genuine }, NOW);

describe('a refresh token that was not rotated just now', () => {
  it('gives its child again within the ten seconds that clients were promised, and not after', () => {
    expect(judge(PARENT, { rotated_at: NOW - 10_000 })).toBe('child_again');
    expect(judge(PARENT, { rotated_at: NOW - 10_001 })).toBe('reused');
  });

  it('ends the session when it is older than the parent', () => {
    expect(judge(OLD)).toBe('reused');
    expect(judge(OLD, { previous_hash: null })).toBe('reused');
  });

  it('ends nothing when the server never made it', () => {
    expect(judge(OLD, {}, false)).toBe('refused');
  });

  it('is judged by its hash where the key that made it is gone', () => {
    expect(judge(PARENT, {}, false)).toBe('child_again');
    expect(judge(PARENT, { rotated_at: NOW - GRACE_MS - 1 }, false)).toBe('reused');
  });

  it('is refused when its session is over, whatever it is', () => {
    for (const hash of [CURRENT, PARENT, OLD]) {
      expect(judge(hash, { revoked_at: NOW })).toBe('refused');
      expect(judge(hash, { expires_at: NOW })).toBe('refused');
    }
  });

  it('tells the owner, and nobody else, that he is suspended', () => {
    for (const status of ['suspended', 'banned', 'deleted']) {
      for (const hash of [CURRENT, PARENT, OLD]) expect(judge(hash, { status })).toBe('suspended');
      expect(judge(OLD, { status }, false)).toBe('refused');
    }
  });

  it('may be tried again when it became the current one in between', () => {
    expect(judge(CURRENT)).toBe('refused');
  });
});
