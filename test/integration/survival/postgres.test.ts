/** FT-13, FT-15, FT-17: a PostgreSQL that stands still, has no connection left, or takes no writes. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/platform/EmbeddedPostgres.ts';
import { type Answer, Inbox, type Json, request } from '../../support/client.ts';
import { backendsOf, postmasterOf, takeConnections } from '../../support/postgresTrouble.ts';
import type { TestServer } from '../../support/server.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';
import { again, pause, preloaded, signal, startShared } from './processes.ts';

const MAX_CONNECTIONS = 40;

let dataDir: string;
let postgres: EmbeddedPostgres;
let server: TestServer;
/** Connected throughout. */
let admin: pg.Client;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'duet-pg-trouble-'));
  postgres = await startEmbeddedPostgres({
    dataDir,
    log: createLog('silent'),
    settings: { fsync: 'off', max_connections: MAX_CONNECTIONS },
  });
  admin = new pg.Client(postgres.url);
  await admin.connect();
  server = await startShared({ DB_URL: postgres.url, DB_POOL: '10', ...preloaded('patience.js') });
});
afterAll(async () => {
  await server?.kill();
  await admin?.end();
  await postgres?.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function setReadOnly(on: boolean): Promise<void> {
  await admin.query('set default_transaction_read_only = off');
  await admin.query(
    `alter system ${on ? 'set default_transaction_read_only = on' : 'reset default_transaction_read_only'}`,
  );
  await admin.query('select pg_reload_conf()');
}

/** Refused, not left waiting. */
async function expectUnavailable(ask: () => Promise<Answer<Json>>): Promise<void> {
  expect((await answered(ask)).status).toBe(503);
}

async function answered(ask: () => Promise<Answer<Json>>): Promise<Answer<Json>> {
  const answer = await ask();
  if (answer.status < 400) return answer;
  expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  return answer;
}

async function expectReadiness(wanted: number): Promise<void> {
  await again(async () => {
    const { status } = await request(server.url, 'GET', '/health/readiness');
    if (status !== wanted) throw new Error(`readiness ${status}`);
  });
}

describe('PostgreSQL stands still (SIGSTOP)', () => {
  test.each(['its backends', 'all of it'])(
    '%s: 503 before any time-out, work again after SIGCONT, nothing lost',
    async (what) => {
      const { ann, bob, matchId } = await newMatch(server);
      const stranger = await newPerson(server);
      const inbox = await bob.inbox();
      const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
      const stopped = [
        ...(what === 'all of it' ? [await postmasterOf(admin)] : []),
        ...(await backendsOf(admin)),
      ];
      expect(stopped.length).toBeGreaterThan(1);
      await signal(server, 'patient from now on');
      for (const pid of stopped) process.kill(pid, 'SIGSTOP');
      try {
        const reads = [ann, bob, ann, bob].map((person) => () => person.call('GET', `/calls/${call.id}`));
        const writes = [ann, bob].map((person) => () => person.call('POST', `/matches/like/${stranger.id}`));
        // Where the server itself is awake, new connections of the pool may serve some of them.
        const answers = await Promise.all([...reads, ...writes].map(answered));
        expect(answers.some(({ status }) => status === 503)).toBe(true);
        if (what === 'all of it') {
          for (const { status } of answers) expect(status).toBe(503);
          await expectUnavailable(() => ann.call('GET', `/calls/${call.id}`));
        } else {
          // By then those that stand still are given up for good.
          await again(() => ann.ok('GET', `/calls/${call.id}`));
        }
        expect((await request(server.url, 'GET', '/health/liveness')).status).toBe(200);
        if (what === 'all of it') await expectReadiness(503);
      } finally {
        for (const pid of stopped) process.kill(pid, 'SIGCONT');
        await signal(server, 'patient no more');
      }
      // The call rings on, whatever its holder could not write meanwhile; what was acknowledged stands.
      const back = await again(() => bob.ok('POST', `/calls/${call.id}/answer`, {}));
      expect(back.call).toMatchObject({ id: call.id, phase: 'connecting' });
      expect((await again(() => ann.ok('GET', '/matches/active'))).items).toHaveLength(1);
      await again(() => ann.ok('POST', `/matches/like/${stranger.id}`));
      await again(() => ann.ok('POST', `/calls/${call.id}/end`));
      const ended = await inbox.next('call:ended', (event) => event.call.id === call.id, 20_000);
      expect(ended.call.outcome).toBe('cancelled');
      const { rows } = await admin.query(
        'select version from call_journal where call_id = $1 order by version',
        [call.id],
      );
      expect(rows.map(({ version }) => version)).toEqual(rows.map((_, i) => i + 1));
      await expectReadiness(200);
    },
  );
});

test('no connection is left: 503, and work again when there is', async () => {
  const person = await newPerson(server);
  const taken = await takeConnections(admin, postgres.url, MAX_CONNECTIONS);
  try {
    expect(taken.length).toBe(MAX_CONNECTIONS - 1);
    await expectUnavailable(() => person.call('GET', '/matches/active'));
    await Promise.all([1, 2, 3].map(() => expectUnavailable(() => person.call('GET', '/users/me'))));
    expect((await request(server.url, 'GET', '/health/liveness')).status).toBe(200);
  } finally {
    await Promise.all(taken.map((client) => client.end()));
  }
  await again(() => person.ok('GET', '/matches/active'));
  await expectReadiness(200);
});

test('PostgreSQL takes no writes: reads go on, writes are 503, and work again when it does', async () => {
  const { ann, bob, matchId } = await newMatch(server);
  const inbox = new Inbox((await bob.inbox()).room);
  await setReadOnly(true);
  try {
    await again(async () => {
      const { status } = await ann.call('POST', `/calls/initiate/${matchId}`, {});
      if (status < 500) throw new Error(`still written: ${status}`);
    });
    await expectUnavailable(() => ann.call('POST', `/calls/initiate/${matchId}`, {}));
    await expectUnavailable(() => ann.call('POST', `/matches/${matchId}/end`));
    expect((await ann.ok('GET', '/matches/active')).items).toHaveLength(1);
  } finally {
    await setReadOnly(false);
  }
  const { call } = await again(() => ann.ok('POST', `/calls/initiate/${matchId}`, {}));
  await inbox.next('call:incoming', (event) => event.call.id === call.id, 20_000);
  await pause(100);
  await ann.ok('POST', `/calls/${call.id}/end`);
});

test('PostgreSQL takes no writes: who has an account is a secret all the same', async () => {
  const person = {
    displayName: 'Robin',
    birthDate: '1990-01-01',
    gender: 'woman',
    password: 'a password nobody guesses',
  };
  const verified = await newPerson(server);
  const { email: known } = await verified.ok('GET', '/users/me');
  const waiting = 'waiting@example.org';
  const post = (path: string, body: object) => request(server.url, 'POST', `/api/v1/auth/${path}`, { body });
  expect((await post('register', { ...person, email: waiting })).status).toBe(202);
  await setReadOnly(true);
  try {
    await again(async () => {
      const { status } = await verified.call('PATCH', '/users/me/preferences', { maxAge: 60 });
      if (status < 500) throw new Error(`still written: ${status}`);
    });
    for (const email of [known, waiting, 'nobody@example.org']) {
      await expectUnavailable(() => post('resend-verification', { email }));
      await expectUnavailable(() => post('forgot-password', { email }));
      await expectUnavailable(() => post('register', { ...person, email }));
      await expectUnavailable(() => post('login', { email, password: 'not the one' }));
    }
  } finally {
    await setReadOnly(false);
  }
  await again(() => verified.ok('PATCH', '/users/me/preferences', { maxAge: 60 }));
});
