import { createHmac } from 'node:crypto';
import { jwtVerify, SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { AccessTokens, AUDIENCE, ISSUER } from '../../../src/accounts/AccessTokens.ts';
import { newId } from '../../../src/ids.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const SECRET = 'one-secret-of-at-least-32-characters-for-tests';
const OTHER = 'another-secret-of-at-least-32-characters-too';
const who = { userId: newId(), sessionId: newId(), role: 'user' as const };

function setUp(
  secrets: { current: string; previous?: string } = { current: SECRET },
  clock = new FakeClock(),
) {
  return { clock, tokens: new AccessTokens({ clock, secrets }) };
}

/** A token with our key and whatever claims and header. */
async function forge(
  clock: FakeClock,
  claims: object = {},
  header: object = {},
  secret = SECRET,
): Promise<string> {
  const { tokens } = setUp({ current: secret }, clock);
  const [protectedPart = ''] = (await tokens.sign(who)).token.split('.');
  const own = JSON.parse(Buffer.from(protectedPart, 'base64url').toString());
  const now = Math.floor(clock.now() / 1000);
  const payload = {
    sid: who.sessionId,
    role: 'user',
    iss: ISSUER,
    aud: AUDIENCE,
    sub: who.userId,
    iat: now,
    exp: now + 900,
    ...claims,
  };
  return signed({ ...own, ...header }, payload, secret);
}

function signed(header: object | string, payload: object | string, secret = SECRET): string {
  const part = (value: object | string) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  const body = `${part(header)}.${part(payload)}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

/** Random numbers below a bound, the same ones in every run (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

describe('access tokens', () => {
  it('are JWTs of RFC 9068 that jose agrees with', async () => {
    const { tokens, clock } = setUp();
    const { token, expiresAt } = await tokens.sign(who);
    const { payload, protectedHeader } = await jwtVerify(token, Buffer.from(SECRET), {
      algorithms: ['HS256'],
      typ: 'at+jwt',
      issuer: ISSUER,
      audience: AUDIENCE,
      currentDate: new Date(clock.now()),
    });
    expect(payload).toMatchObject({ sub: who.userId, sid: who.sessionId, role: 'user' });
    expect(protectedHeader.kid).toMatch(/^[\w-]{11}$/);
    expect(expiresAt).toBe(payload.exp! * 1000);
    expect(tokens.verify(token)).toEqual(who);
  });

  it('end after 15 minutes, remembered or not', async () => {
    const { tokens, clock } = setUp();
    const { token } = await tokens.sign(who);
    clock.advance(15 * 60_000 - 1_000);
    expect(tokens.verify(token)).toEqual(who);
    clock.advance(1_000);
    expect(tokens.verify(token)).toBeUndefined();
    expect(setUp(undefined, clock).tokens.verify(token)).toBeUndefined();
  });

  it('may be signed with the previous key during a rotation, and with no other (kid)', async () => {
    const clock = new FakeClock();
    const { token } = await setUp({ current: OTHER }, clock).tokens.sign(who);
    expect(setUp({ current: SECRET, previous: OTHER }, clock).tokens.verify(token)).toEqual(who);
    expect(setUp({ current: SECRET }, clock).tokens.verify(token)).toBeUndefined();
    const rotating = setUp({ current: SECRET, previous: OTHER }, clock).tokens;
    const { token: next } = await rotating.sign(who);
    expect(rotating.verify(next)).toEqual(who);
    expect(setUp({ current: SECRET }, clock).tokens.verify(next)).toEqual(who);
  });

  it('are known as ours after their end, and no forgery is', async () => {
    const { tokens, clock } = setUp();
    const { token } = await tokens.sign(who);
    clock.advance(24 * 3_600_000);
    expect(tokens.isOwn(token)).toBe(true);
    expect(tokens.isOwn(await forge(clock, {}, {}, OTHER))).toBe(false);
  });

  it('refuse every other algorithm and an absent signature (AUTH-05)', async () => {
    const { tokens, clock } = setUp();
    const good = (await tokens.sign(who)).token;
    const [header = '', payload = '', signature = ''] = good.split('.');
    const unsecured = new UnsecuredJWT({ sid: who.sessionId, role: 'user' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(who.userId)
      .setIssuedAt()
      .setExpirationTime('2h')
      .encode();
    const bad = [
      unsecured,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}..${signature}`,
      `.${payload}.${signature}`,
    ];
    for (const alg of [
      'none',
      'None',
      'NONE',
      'nOnE',
      'HS384',
      'HS512',
      'RS256',
      'ES256',
      'EdDSA',
      '',
      1,
      null,
    ]) {
      bad.push(await forge(clock, {}, { alg }));
      bad.push(`${(await forge(clock, {}, { alg })).split('.').slice(0, 2).join('.')}.`);
    }
    for (const token of bad) expect(tokens.verify(token), token).toBeUndefined();
    expect(tokens.verify(good)).toEqual(who);
  });

  it('read no key from a header (AUTH-07)', async () => {
    const { tokens, clock } = setUp();
    const jwk = { kty: 'oct', k: Buffer.from(OTHER).toString('base64url') };
    const headers = [
      { jwk },
      { jku: 'http://127.0.0.1:9/keys' },
      { x5u: 'http://127.0.0.1:9/cert' },
      { x5c: ['AAAA'] },
      { kid: '../../dev/null' },
      { kid: "' or 1=1 --" },
      { kid: '__proto__' },
      { kid: undefined },
      { kid: [1] },
      { crit: ['exp'] },
      { b64: false },
      { zip: 'DEF' },
      { typ: 'JWT' },
      { typ: undefined },
    ];
    for (const header of headers) {
      expect(tokens.verify(await forge(clock, {}, header)), JSON.stringify(header)).toBeUndefined();
      expect(tokens.verify(await forge(clock, {}, header, OTHER)), JSON.stringify(header)).toBeUndefined();
    }
    const empty = signed({ alg: 'HS256', typ: 'at+jwt', kid: '../../dev/null' }, { sub: who.userId }, '\0');
    expect(tokens.verify(empty)).toBeUndefined();
  });

  it('are for us, from us, and complete (AUTH-09)', async () => {
    const { tokens, clock } = setUp();
    const now = Math.floor(clock.now() / 1000);
    const claims: object[] = [
      { iss: 'somebody' },
      { iss: undefined },
      { aud: 'somebody' },
      { aud: undefined },
      { aud: [AUDIENCE, 'somebody'] },
      { aud: [AUDIENCE] },
      { sub: undefined },
      { sub: 'me' },
      { sid: undefined },
      { sid: 'x' },
      { role: 'root' },
      { role: undefined },
      { exp: undefined },
      { exp: 'never' },
      { exp: 1e300 },
      { exp: now },
      { iat: undefined },
      { iat: '0' },
    ];
    for (const claim of claims) {
      expect(tokens.verify(await forge(clock, claim)), JSON.stringify(claim)).toBeUndefined();
    }
    expect(tokens.verify(await forge(clock))).toEqual(who);
  });

  it('begin at once, end, and are short (AUTH-08, AUTH-10)', async () => {
    const { tokens, clock } = setUp();
    const now = Math.floor(clock.now() / 1000);
    for (const nbf of [now + 60, now, now - 60, 'x'])
      expect(tokens.verify(await forge(clock, { nbf })), `${nbf}`).toBeUndefined();
    expect(tokens.verify(await forge(clock, { exp: now - 1, iat: now - 901 }))).toBeUndefined();
    for (const length of [4_000, 100_000, 10_000_000]) {
      expect(tokens.verify(await forge(clock, { pad: 'x'.repeat(length) })), `${length}`).toBeUndefined();
      expect(tokens.verify('.'.repeat(length))).toBeUndefined();
    }
  });

  it('may be a little ahead of our clock (AUTH-41)', async () => {
    const { tokens, clock } = setUp();
    const now = Math.floor(clock.now() / 1000);
    expect(tokens.verify(await forge(clock, { iat: now + 5 }))).toEqual(who);
    expect(tokens.verify(await forge(clock, { iat: now + 300, exp: now + 1200 }))).toBeUndefined();
  });

  it('have one spelling (AUTH-11)', async () => {
    const { tokens, clock } = setUp();
    const { token } = await tokens.sign(who);
    const bad = [
      `${token}=`,
      `${token}==`,
      `${token}.`,
      `${token}.x`,
      ` ${token}`,
      `${token}\n`,
      `${token}A`,
      token.slice(0, -1),
    ];
    for (let back = 1; back <= 16; back++) {
      const at = token.length - back;
      for (const char of 'ABCDEFGHabcdefgh0123456789-_') {
        if (token[at] !== char) bad.push(token.slice(0, at) + char + token.slice(at + 1));
      }
    }
    // What is inside has one spelling too, even with the right signature.
    const [header = '', payload = ''] = token
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString());
    expect(tokens.verify(signed(JSON.parse(header), payload))).toEqual(who);
    const other = `"sub":"${newId()}"`;
    for (const claims of [
      payload.replace('{', `{${other},`),
      payload.replace(/}$/, `,${other}}`),
      `${payload} `,
      `\ufeff${payload}`,
      payload.replace('"sub"', '"s\\u0075b"'),
    ])
      bad.push(signed(JSON.parse(header), claims));
    for (const fields of [header.replace('{', '{"alg":"none",'), `${header} `])
      bad.push(signed(fields, payload));
    for (const other of bad) expect(tokens.verify(other), other).toBeUndefined();
    expect(clock.now()).toBeGreaterThan(0);
    expect(tokens.verify(token)).toEqual(who);
  });

  it('of 100,000 mutations accept none', async () => {
    const { tokens } = setUp();
    const { token } = await tokens.sign(who);
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ é\0';
    const randomInt = seeded(1);
    let accepted = 0;
    for (let round = 0; round < 100_000; round++) {
      let mutated = token;
      for (let changes = 1 + randomInt(3); changes > 0; changes--) {
        const at = randomInt(mutated.length);
        const char = alphabet[randomInt(alphabet.length)]!;
        const kind = randomInt(4);
        if (kind === 0) mutated = mutated.slice(0, at) + char + mutated.slice(at + 1);
        else if (kind === 1) mutated = mutated.slice(0, at) + mutated.slice(at + 1);
        else if (kind === 2) mutated = mutated.slice(0, at) + char + mutated.slice(at);
        else mutated = mutated.slice(0, at) + mutated.slice(at).split('').reverse().join('');
      }
      if (mutated !== token && tokens.verify(mutated) !== undefined) accepted += 1;
    }
    expect(accepted).toBe(0);
  }, 60_000);

  it('are no other kind of token, and no other kind is one', async () => {
    const { tokens, clock } = setUp();
    const seat = await new SignJWT({ sid: who.sessionId, role: 'user' })
      .setProtectedHeader({ alg: 'HS256', typ: 'seat+jwt' })
      .setIssuer(ISSUER)
      .setAudience('duet-seat')
      .setSubject(who.userId)
      .setIssuedAt(Math.floor(clock.now() / 1000))
      .setExpirationTime(Math.floor(clock.now() / 1000) + 60)
      .sign(Buffer.from(SECRET));
    expect(tokens.verify(seat)).toBeUndefined();
    expect(tokens.verify(await forge(clock, { aud: 'duet-seat' }))).toBeUndefined();
  });

  it('are forgotten beyond a bound, and good all the same', async () => {
    const clock = new FakeClock();
    const tokens = new AccessTokens({ clock, secrets: { current: SECRET }, maxRemembered: 2 });
    const many = await Promise.all(
      Array.from({ length: 5 }, () => tokens.sign({ ...who, sessionId: newId() })),
    );
    for (const { token } of [...many, ...many]) expect(tokens.verify(token)?.userId).toBe(who.userId);
  });
});
