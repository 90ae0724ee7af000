/** What can be tried with photos, through the whole program. */
import { deflateSync } from 'node:zlib';
import pg from 'pg';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../../src/ids.ts';
import { useApp } from '../../support/app.ts';
import { type Answer, type Json, type Person, request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { chunk, hollowPng, picture } from '../../support/images.ts';
import { openRaw, requestText } from '../../support/rawHttp.ts';
import { match, newPeople, signIn } from '../../support/signedIn.ts';

const app = useApp();
let db: pg.Client;

beforeAll(async () => {
  db = new pg.Client(app.dbUrl);
  await db.connect();
});
afterAll(() => db.end());

const people = (count: number) => newPeople(app, count);

/** An upload of one's own. */
async function upload(person: Person, bytes: Buffer, type = 'image/jpeg'): Promise<Answer<Json>> {
  const response = await fetch(`${app.url}/api/v1/users/me/photos`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}`, 'content-type': type },
    body: new Uint8Array(bytes),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Begins a request; resolves with how to send the rest of it, once the first part was taken. */
async function begin(person: Person, method: string, path: string, type: string, bytes: Buffer) {
  const connection = await openRaw(Number(new URL(app.url).port));
  const headers = {
    authorization: `Bearer ${person.token}`,
    'content-type': type,
    'content-length': String(bytes.length),
  };
  connection.send(requestText(method, `/api/v1${path}`, headers));
  connection.send(bytes.subarray(0, -1));
  // Answered on another connection, after what was sent before on this one.
  await person.ok('GET', '/users/me');
  return async () => {
    connection.send(bytes.subarray(-1));
    const [answer] = await connection.answers(1);
    connection.destroy();
    return answer?.status;
  };
}

test('AUTH-13, AUTH-15: what began before a session ended is not carried out with it', async () => {
  const [me] = await people(1);
  const profile = Buffer.from(JSON.stringify({ displayName: 'Too late' }));
  const [sendPhoto, sendProfile] = [
    await begin(me!, 'POST', '/users/me/photos', 'image/jpeg', await picture(90)),
    await begin(me!, 'PUT', '/users/me', 'application/json', profile),
  ];
  await me!.ok('POST', '/auth/logout');
  expect([await sendPhoto(), await sendProfile()]).toEqual([401, 401]);
  const again = await signIn(app.url, me!.email);
  expect(await again.ok('GET', '/users/me')).toMatchObject({ displayName: 'Somebody', photos: [] });
});

test('AUTH-44: what began before its owner came does not end up in his account', async () => {
  const email = `slowly-${newId()}@example.org`;
  const mallory = {
    email,
    password: 'mallorys own choice',
    displayName: 'Mallory',
    birthDate: '1990-05-05',
    gender: 'man',
  };
  await request(app.url, 'POST', '/api/v1/auth/register', { body: mallory });
  const early = await signIn(app.url, email, mallory.password);
  const send = await begin(early, 'POST', '/users/me/photos', 'image/jpeg', await picture(91));
  await request(app.url, 'POST', '/api/v1/auth/forgot-password', { body: { email } });
  let token: string | undefined;
  await eventually(async () => {
    const { body } = await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
    token = body.items
      .map((mail: Json) => /reset[^\s]*[?&]token=([\w.~-]+)/.exec(mail.text)?.[1])
      .find((found: string | undefined) => found !== undefined);
    return token !== undefined;
  }).toBe(true);
  const body = { token, password: 'the owners own choice' };
  expect((await request(app.url, 'POST', '/api/v1/auth/reset-password', { body })).status).toBeLessThan(300);
  expect(await send()).toBe(401);
  const owner = await signIn(app.url, email, body.password);
  expect((await owner.ok('GET', '/users/me')).photos).toEqual([]);
});

test('AZ-16: somebody else’s are not to be removed or put in order', async () => {
  const [me, other] = await people(2);
  const photo = (await upload(other!, await picture(1))).body;
  const mine = (await upload(me!, await picture(2))).body;
  expect((await me!.call('DELETE', `/users/me/photos/${photo.id}`)).status).toBe(404);
  for (const photoIds of [[photo.id], [mine.id, photo.id]]) {
    expect((await me!.call('PUT', '/users/me/photos/order', { photoIds })).status).toBe(400);
  }
  expect((await other!.ok('GET', '/users/me')).photos.map((one: Json) => one.id)).toEqual([photo.id]);
});

test('AZ-17, PV-25: an address is of one viewer and a while, names nobody, and ends with a block or a removal', async () => {
  const [me, viewer] = await people(2);
  await match(me!, viewer!);
  const photo = (await upload(me!, await picture(3))).body;
  const card = await viewer!.ok('GET', `/users/${me!.id}`);
  const url: string = card.photos[0].url;
  for (const secret of [me!.id, viewer!.id, photo.id]) expect(url).not.toContain(secret);
  const [row] = (await db.query('select key from photos where id = $1', [photo.id])).rows;
  expect(Buffer.from(row.key, 'base64url').length).toBeGreaterThanOrEqual(16);
  const shown = await fetch(url);
  expect(shown.status).toBe(200);
  expect(shown.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
  expect(shown.headers.get('x-content-type-options')).toBe('nosniff');
  await shown.arrayBuffer();

  const guessed = new URL(url);
  guessed.pathname = guessed.pathname.replace(/\/photos\/./, (text) =>
    text.endsWith('A') ? '/photos/B' : '/photos/A',
  );
  const unsigned = new URL(url);
  unsigned.search = '';
  const longer = new URL(url);
  longer.searchParams.set('t', `${longer.searchParams.get('t')}9`);
  const overlong = new URL(url);
  overlong.searchParams.set('s', 'x'.repeat(65));
  const padded = new URL(url);
  padded.searchParams.set('s', `${padded.searchParams.get('s')}=`);
  const twice = `${url}&t=x`;
  const more = `${url}&more=1`;
  const longKey = url.replace(/\/photos\/[^/]*/, `/photos/${'k'.repeat(65)}`);
  const otherFile = url.replace(/\w+\.webp/, 'original.with.a.long.name.webp');
  for (const wrong of [guessed, unsigned, longer, overlong, padded, twice, more, longKey, otherFile])
    expect([String(wrong), (await fetch(wrong)).status]).toEqual([String(wrong), 403]);

  await me!.ok('POST', `/users/block/${viewer!.id}`);
  expect((await fetch(url)).status).toBe(403);
  await me!.ok('DELETE', `/users/block/${viewer!.id}`);
  expect((await fetch(url)).status).toBe(200);
  await me!.ok('DELETE', `/users/me/photos/${photo.id}`);
  expect((await fetch(url)).status).toBe(403);
});

test('IN-25: bombs are refused before they go off', async () => {
  const [me] = await people(1);
  const frames = Array.from({ length: 30 }, (_, n) => Buffer.alloc(64 * 64 * 3, n * 8));
  const animation = await sharp(Buffer.concat(frames), {
    raw: { width: 64, height: 64 * frames.length, channels: 3, pageHeight: 64 },
  })
    .gif()
    .toBuffer();
  const zippedText = chunk(
    'zTXt',
    Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(60_000_000))]),
  );
  const before = process.memoryUsage().rss;
  for (const bytes of [hollowPng(65_000, 65_000), hollowPng(500, 500, [zippedText])]) {
    expect((await upload(me!, bytes, 'image/png')).status).toBe(400);
  }
  // No GIF at all, however many frames it has.
  expect((await upload(me!, animation, 'image/png')).status).toBe(415);
  expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
});

test('IN-27: the type is what the first bytes say, not what the header does', async () => {
  const [me] = await people(1);
  const texts = [
    '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    '<!DOCTYPE html><script>alert(1)</script>',
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    '%!PS-Adobe-3.0 EPSF-3.0',
    'GIF89a and so on and on',
  ];
  for (const text of texts) {
    for (const type of ['image/jpeg', 'image/png', 'image/webp']) {
      expect((await upload(me!, Buffer.from(text), type)).status, text).toBe(415);
    }
  }
  for (const type of ['image/svg+xml', 'text/html', 'application/octet-stream']) {
    expect((await upload(me!, await picture(5), type)).status).toBe(415);
  }
  // A JPEG that calls itself a PNG is a picture all the same.
  expect((await upload(me!, await picture(5), 'image/png')).status).toBe(201);
});

test('IN-29: a hundred at once at the limit of six: six, and no file of any other', async () => {
  const [me] = await people(1);
  const image = await picture(7, 'jpeg', 200, 200);
  const answers = await Promise.all(Array.from({ length: 100 }, () => upload(me!, image)));
  expect(answers.filter((answer) => answer.status === 201)).toHaveLength(6);
  expect(answers.filter((answer) => ![201, 409].includes(answer.status))).toEqual([]);
  const [other] = await people(1);
  expect((await upload(other!, Buffer.alloc(0))).status).toBe(400);
  expect((await me!.ok('GET', '/users/me')).photos).toHaveLength(6);
});

test('RC: orders put at once leave one of them, whole', async () => {
  const [me] = await people(1);
  const ids: string[] = [];
  for (let n = 0; n < 4; n++) ids.push((await upload(me!, await picture(20 + n, 'jpeg', 200, 200))).body.id);
  const orders = [ids, ids.toReversed(), [ids[1], ids[0], ids[3], ids[2]]];
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      me!.call('PUT', '/users/me/photos/order', { photoIds: orders[n % 3] }),
    ),
  );
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
  const left = (await me!.ok('GET', '/users/me')).photos;
  expect(left.map((photo: Json) => photo.position)).toEqual([0, 1, 2, 3]);
  expect(orders).toContainEqual(left.map((photo: Json) => photo.id));
});
