/** Promises about what is sent: unknown paths, a password of ten megabytes, pictures that are bombs. */
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import type { Answer, Json, Person } from '../test/support/client.ts';
import { animation, chunk, hollowPng, picture } from '../test/support/images.ts';
import { openRaw, requestText } from '../test/support/rawHttp.ts';
import { again, metric, type PromiseWorld, type Provoke, told } from './PromiseWorld.ts';

const TIMES = 50;
const BOMBS = 3;
const FRAMES = 10_000;
const PASSWORD_BYTES = 10_000_000;
const PIECE_BYTES = 64 * 1024;
const MAX_GROWTH_MB = 100;

export const INPUT_PROMISES: Record<string, Provoke> = {
  'IN-03': async ({ a }, row) => {
    const refused = row({ what: 'IN-03 unknown paths and methods are 404 or 405', withinMs: 100 });
    const port = Number(new URL(a.url).port);
    const requests: [text: string, statuses: number[]][] = [
      [requestText('GET', '/api/v1/nothing'), [404]],
      [requestText('BREW', '/api/v1/users/me'), [405]],
      [requestText('TRACE', '/api/v1/users/me'), [405]],
      [requestText('POST', '/matchmake/create/call', { 'content-type': 'application/json' }, '{}'), [404]],
      // No path at all: uWebSockets.js answers that itself.
      ['OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', [505]],
    ];
    const before = await openSockets(port);
    for (let i = 0; i < TIMES; i++) {
      for (const [text, statuses] of requests) {
        const connection = await openRaw(port);
        const status = await refused.time(async () => {
          connection.send(text);
          return (await connection.answers(1))[0]?.status;
        });
        connection.destroy();
        refused.check(
          status !== undefined && statuses.includes(status),
          () => `${status} to ${text.split('\r')[0]}`,
        );
      }
      const liveness = requestText('GET', '/health/liveness');
      const connection = await openRaw(port);
      await refused.time(async () => {
        connection.send(liveness);
        await connection.answers(1);
      }, refused.usualMs);
      connection.destroy();
    }
    const after = await again(async () => {
      const open = await openSockets(port);
      if (open > before) throw new Error(`${open} sockets are open where ${before} were`);
      return open;
    });
    refused.check(after <= before, () => `${after} sockets are open where ${before} were`);
  },

  'AUTH-33': async ({ a }, row) => {
    const refused = row({ what: 'AUTH-33 a password of 10 MB is refused, nothing hashed', withinMs: 10 });
    const port = Number(new URL(a.url).port);
    const checkedBefore = await metric(a.url, 'duet_password_verifications_total');
    const login = (password: string) => {
      const body = JSON.stringify({ email: 'nobody@example.org', password });
      const headers = { 'content-type': 'application/json' };
      return Buffer.from(requestText('POST', '/api/v1/auth/login', headers, body));
    };
    const answer = async (bytes: Buffer, into?: number[]) => {
      const connection = await openRaw(port);
      // That it is refused is said at once; the answer ends a moment later, for clients that hear when they have sent.
      await refused.time(async () => {
        const heard = once(connection.socket, 'data');
        // In pieces, as clients send: in one, sending it would be most of what is measured.
        for (let sent = 0; sent < bytes.length && connection.received() === ''; sent += PIECE_BYTES) {
          connection.send(bytes.subarray(sent, sent + PIECE_BYTES));
          await setImmediate();
        }
        await heard;
      }, into);
      const [answered] = await connection.answers(1);
      connection.destroy();
      return answered?.status;
    };
    const [huge, empty] = [login('x'.repeat(PASSWORD_BYTES)), login('')];
    for (let i = 0; i < TIMES; i++) {
      const status = await answer(huge);
      refused.check(status === 413, () => `${status}`);
      const usual = await answer(empty, refused.usualMs);
      refused.check(usual === 400, () => `${usual} to an empty password`);
    }
    const checked = (await metric(a.url, 'duet_password_verifications_total')) - checkedBefore;
    refused.check(checked === 0, () => `${checked} passwords were checked`);
  },

  'IN-25': async (world, row) => {
    const zipped = Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(60_000_000))]);
    const bombs: [name: string, bytes: Buffer, status: number][] = [
      ['PNG of 65,000 × 65,000', hollowPng(65_000, 65_000), 400],
      ['PNG with 60 MB of zTXt', hollowPng(500, 500, [chunk('zTXt', zipped)]), 400],
      ['WebP of 10,000 frames', await animation(64, FRAMES), 400],
      // No GIF is taken, however many frames it has.
      ['GIF of 10,000 frames', await manyFramedGif(), 415],
    ];
    const refused = row({ what: 'IN-25 pictures that are bombs are refused', withinMs: 2_000 });
    const people = await world.people(BOMBS);
    const ordinary = await picture(1);
    for (const person of people) {
      const usual = await refused.time(() => upload(person, ordinary), refused.usualMs);
      refused.check(usual.status === 201, () => `${told(usual)} to an ordinary picture`);
    }
    const before = await peakMb(world, true);
    for (const person of people)
      for (const [name, bytes, status] of bombs) {
        const answer = await refused.time(() => upload(person, bytes));
        refused.check(answer.status === status, () => `${told(answer)} to a ${name}`);
      }
    const grew = (await peakMb(world)) - before;
    refused.check(grew <= MAX_GROWTH_MB, () => `the server's memory grew by ${grew.toFixed(0)} MB`);
  },
};

async function upload(person: Person, bytes: Buffer): Promise<Answer<Json>> {
  const response = await fetch(`${person.url}/api/v1/users/me/photos`, {
    method: 'POST',
    headers: { authorization: `Bearer ${person.token}`, 'content-type': 'image/png' },
    body: new Uint8Array(bytes),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

function manyFramedGif(): Promise<Buffer> {
  const side = 4;
  const frameBytes = side * side * 3;
  const pixels = Buffer.alloc(FRAMES * frameBytes);
  // No frame is like the one before, which would be left out.
  for (let i = 0; i < FRAMES; i++) pixels.fill(i, i * frameBytes, (i + 1) * frameBytes);
  return sharp(pixels, { raw: { width: side, height: side * FRAMES, channels: 3, pageHeight: side } })
    .gif()
    .toBuffer();
}

/** The most memory that A has had, in MB; `afresh`: counted from now on (proc(5), `clear_refs` and `VmHWM`). */
async function peakMb({ a }: PromiseWorld, afresh = false): Promise<number> {
  if (afresh) await writeFile(`/proc/${a.pid}/clear_refs`, '5');
  return Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${a.pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Connections at a port that are established (proc_net_tcp: the local address in hexadecimal, state 01). */
async function openSockets(port: number): Promise<number> {
  const lines = (await readFile('/proc/net/tcp', 'utf8')).split('\n');
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return lines.filter((line) => {
    const [, address, , state] = line.trim().split(/\s+/);
    return address?.endsWith(local) && state === '01';
  }).length;
}
