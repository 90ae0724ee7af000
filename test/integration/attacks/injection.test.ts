/**
 * Everything that every route takes, as its own documentation lists it, filled with what breaks out of careless code:
 * IN-21 (SQL), AZ-14 (operator objects), IN-09 and IN-11 (what is no object, and what pollutes every object). The
 * database's own log says whether any of it was ever read as SQL.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { App } from '../../../src/app.ts';
import { readConfig } from '../../../src/config.ts';
import { createLog } from '../../../src/log.ts';
import { startEmbeddedPostgres } from '../../../src/platform/EmbeddedPostgres.ts';
import { TEST_ENVIRONMENT } from '../../support/app.ts';
import { type Answer, type Json, type Person, request } from '../../support/client.ts';
import { newPeople, newPerson, type TestApp } from '../../support/signedIn.ts';

/** One place of a request that takes text or a number. */
interface Slot {
  method: string;
  path: string;
  where: 'path' | 'query' | 'body';
  name: string;
}

const ID = '0190a0a0-0000-7000-8000-000000000000';
/** They end what the others need. */
const LEFT_OUT = /^\/api\/v1\/(auth\/logout|users\/me\/sessions)/;
const ERRORS = [400, 401, 403, 404, 405, 409, 413, 415, 429];

let app: TestApp;
let me: Person;
let slots: Slot[];
let operations: { method: string; path: string }[];
let close: () => Promise<void>;
let readLog: () => Promise<string>;

beforeAll(async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'duet-injection-'));
  // A server of its own, that writes down every statement it could not do.
  const postgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    log: createLog('silent'),
    settings: {
      log_min_error_statement: 'error',
      log_min_messages: 'error',
      log_error_verbosity: 'verbose',
      fsync: 'off',
    },
  });
  const config = readConfig({
    ...TEST_ENVIRONMENT,
    DATA_DIR: dataDir,
    DB_URL: postgres.url,
  });
  const running = await App.start(config, createLog('silent'));
  app = { url: running.url, dbUrl: postgres.url };
  readLog = () => readFile(join(dataDir, 'postgres', 'postgres.log'), 'utf8').catch(() => '');
  close = async () => {
    await running.close();
    await postgres.close();
    await rm(dataDir, { recursive: true, force: true });
  };
  me = await newPerson(app);
  const { body } = await request(app.url, 'GET', '/api/v1/openapi.json');
  ({ slots, operations } = slotsOf(body));
});
afterAll(() => close?.());

function slotsOf(document: Json): { slots: Slot[]; operations: { method: string; path: string }[] } {
  const found: Slot[] = [];
  const all: { method: string; path: string }[] = [];
  const resolve = (schema: Json): Json =>
    schema?.$ref === undefined ? schema : document.components.schemas[schema.$ref.split('/').at(-1)];
  for (const [path, verbs] of Object.entries<Json>(document.paths)) {
    if (LEFT_OUT.test(path)) continue;
    for (const [method, operation] of Object.entries<Json>(verbs)) {
      all.push({ method: method.toUpperCase(), path });
      const slot = { method: method.toUpperCase(), path };
      for (const { name, in: where } of operation.parameters ?? []) {
        if (where === 'path' || where === 'query') found.push({ ...slot, where, name });
      }
      const body = resolve(operation.requestBody?.content?.['application/json']?.schema);
      for (const name of Object.keys(body?.properties ?? {})) found.push({ ...slot, where: 'body', name });
    }
  }
  return { slots: found, operations: all };
}

/** Two hundred texts: what ends a literal, a comment, an identifier, times some way of going on. */
function sqlPayloads(): string[] {
  const ends = ["'", '"', "\\'", "')", '"))', '$1', '$$', ';', '`', '%27', "' ", '\\', "''", '"; '];
  const goes = [
    ' or 1=1 --',
    ' union select password_hash from users --',
    '; drop table users; --',
    '; select pg_sleep(5); --',
    ' and 1=(select count(*) from users) --',
    "||(select version())||'",
    '/**/or/**/1=1',
    ' or exists(select 1 from pg_user)#',
    '; copy users to program $$id$$; --',
    ` or '1'='1`,
    '::int',
    '){}[]',
    '\\x00',
    '; insert into users default values; --',
    ' order by 100 --',
  ];
  return ends.flatMap((end) => goes.map((go) => end + go)).slice(0, 200);
}

/** One request with `value` in one place and something harmless in all others. */
function send(slot: Slot, value: unknown): Promise<Answer<Json>> {
  const isPath = slot.where === 'path';
  const path = slot.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    isPath && name === slot.name ? encodeURIComponent(String(value)) : ID,
  );
  const query = slot.where === 'query' ? `?${new URLSearchParams({ [slot.name]: String(value) })}` : '';
  const body = slot.where === 'body' ? { [slot.name]: value } : undefined;
  return request(app.url, slot.method, path + query, { token: me.token, body });
}

async function inTurn<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
    }),
  );
}

async function expectUsersThere(): Promise<void> {
  expect((await me.ok('GET', '/users/me')).id).toBe(me.id);
}

test('the documentation lists what is there to attack', () => {
  expect(slots.length).toBeGreaterThan(50);
  expect(operations.length).toBeGreaterThan(40);
});

describe('IN-21', () => {
  test('two hundred payloads in every place of every route: no failure, and not one is read as SQL', {
    timeout: 600_000,
  }, async () => {
    const payloads = sqlPayloads();
    expect(payloads).toHaveLength(200);
    const failures: string[] = [];
    await inTurn(slots, 8, async (slot) => {
      // A password never gets near a statement, and each try costs a hash.
      const some = /password/i.test(slot.name) ? payloads.slice(0, 20) : payloads;
      for (const payload of some) {
        const { status } = await send(slot, payload);
        if (status >= 500) failures.push(`${status} ${slot.method} ${slot.path} ${slot.name}: ${payload}`);
      }
    });
    expect(failures).toEqual([]);
    await expectUsersThere();
    const log = await readLog();
    expect(log).not.toBe('');
    // 42601 syntax error, 42P01 no such table, 42703 no such column, 22P02 a text that is no number or id.
    expect(log.split('\n').filter((line) => /42601|42P01|42703|22P02|08P01|syntax error/.test(line))).toEqual(
      [],
    );
  });

  test('as a bearer token, an idempotency key and a device as well', { timeout: 120_000 }, async () => {
    for (const payload of sqlPayloads().slice(0, 60)) {
      const ascii = payload.replaceAll(/[^\x21-\x7e]/g, '_');
      const answers = await Promise.all([
        request(app.url, 'GET', '/api/v1/users/me', { token: ascii }),
        me.call('POST', `/matches/like/${ID}`, {}, { 'idempotency-key': ascii }),
        request(app.url, 'POST', '/api/v1/auth/login', {
          body: { email: 'a@example.org', password: 'correct horse' },
          headers: { 'x-device-id': ascii, 'user-agent': ascii },
        }),
      ]);
      for (const { status } of answers) expect(ERRORS, payload).toContain(status);
    }
  });
});

describe('AZ-14', () => {
  const operators: unknown[] = [
    { $ne: null },
    { $gt: '' },
    { $like: '%' },
    { $or: [{ id: 1 }] },
    { $in: [ID] },
    ['x', { $ne: 1 }],
    { toString: 1 },
    { length: 10 },
  ];

  test('an operator object in any field of any body is a 400', { timeout: 300_000 }, async () => {
    const wrong: string[] = [];
    const bodies = slots.filter((slot) => slot.where === 'body');
    expect(bodies.length).toBeGreaterThan(25);
    await inTurn(bodies, 8, async (slot) => {
      for (const operator of operators) {
        const { status } = await send(slot, operator);
        if (![400, 403].includes(status)) wrong.push(`${status} ${slot.method} ${slot.path} ${slot.name}`);
      }
    });
    expect(wrong).toEqual([]);
  });

  test('in the query too', async () => {
    for (const name of ['limit[$ne]', 'cursor[$gt]', '$where', 'limit[]', 'cursor.__proto__']) {
      const answer = await me.call('GET', `/matches/active?${encodeURIComponent(name)}=1`);
      expect(answer.status).toBe(400);
    }
  });
});

describe('IN-09', () => {
  test('what is no JSON object is a 400 to everything that takes a body', { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    const writers = operations.filter(({ method }) => method !== 'GET');
    await inTurn(writers, 8, async ({ method, path }) => {
      for (const body of ['{a}', 'null', '[]', '"x"', '1']) {
        const response = await fetch(app.url + path.replace(/\{\w+\}/g, ID), {
          method,
          headers: { authorization: `Bearer ${me.token}`, 'content-type': 'application/json' },
          body,
        });
        await response.arrayBuffer();
        // A photo is no JSON at all; who may not call hears that first.
        if (![400, 403, 404, 415].includes(response.status))
          wrong.push(`${response.status} ${method} ${path} ${body}`);
      }
    });
    expect(wrong).toEqual([]);
  });
});

describe('IN-11', () => {
  const polluting = [
    '{"__proto__":{"role":"admin","status":200,"limit":1,"polluted":true}}',
    '{"constructor":{"prototype":{"role":"admin","polluted":true}}}',
    '{"bio":"x","__proto__":{"polluted":true}}',
    '{"location":{"__proto__":{"polluted":true},"lat":1,"lon":1}}',
    '{"__proto__.polluted":true}',
    '{"interests":[{"__proto__":{"polluted":true}}]}',
  ];

  test('pollution of any body leaves all other routes as they were', { timeout: 120_000 }, async () => {
    const probes = operations.filter(({ method }) => method === 'GET');
    const probe = async () =>
      Promise.all(
        probes.map(async ({ path }) => {
          const { status, body } = await me
            .call('GET', path.replace('/api/v1', '').replace(/\{\w+\}/g, ID))
            .catch(() => ({ status: 0, body: undefined }));
          return [
            path,
            status,
            Object.keys(body ?? {})
              .sort()
              .join(),
          ];
        }),
      );
    const before = await probe();
    expect(before.length).toBeGreaterThan(15);
    await inTurn(
      operations.filter(({ method }) => method !== 'GET'),
      8,
      async ({ method, path }) => {
        for (const body of polluting) {
          const response = await fetch(app.url + path.replace(/\{\w+\}/g, ID), {
            method,
            headers: { authorization: `Bearer ${me.token}`, 'content-type': 'application/json' },
            body,
          });
          await response.arrayBuffer();
          expect(response.status, `${method} ${path}`).toBeGreaterThanOrEqual(400);
          expect(response.status, `${method} ${path}`).toBeLessThan(500);
        }
      },
    );
    expect(await probe()).toEqual(before);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect((await me.ok('GET', '/users/me')).role).toBe('user');
  });
});

describe('AZ-21', () => {
  /** Every object schema below `schema`, by where it is. */
  function* objectsIn(schema: Json, at: string): Generator<[string, Json]> {
    if (typeof schema !== 'object' || schema === null) return;
    if (schema.properties !== undefined) yield [at, schema];
    for (const [key, inner] of Object.entries(schema)) yield* objectsIn(inner, `${at}/${key}`);
  }

  test('every answer is declared as an exact list of fields', async () => {
    const { body } = await request(app.url, 'GET', '/api/v1/openapi.json');
    const open: string[] = [];
    const unnamed: string[] = [];
    let objects = 0;
    for (const [path, verbs] of Object.entries<Json>(body.paths)) {
      for (const [method, operation] of Object.entries<Json>(verbs)) {
        for (const [status, answer] of Object.entries<Json>(operation.responses))
          if (status !== '204' && answer.content === undefined) unnamed.push(`${status} ${method} ${path}`);
        for (const [at, schema] of objectsIn(operation.responses, `${method} ${path}`)) {
          objects++;
          if (schema.additionalProperties !== false) open.push(at);
        }
      }
    }
    for (const [at, schema] of objectsIn(body.components.schemas, 'components')) {
      // Of request bodies and answers alike; an answer differs by being checked against it, here and in development.
      objects++;
      if (schema.additionalProperties !== false) open.push(at);
    }
    expect(objects).toBeGreaterThan(30);
    expect(open).toEqual([]);
    expect(unnamed).toEqual([]);
  });

  test('IN-36: an answer that holds the same person twice holds both in full', async () => {
    const [one, other] = (await newPeople(app, 2)) as [Person, Person];
    await one.ok('POST', `/matches/like/${other.id}`);
    const { match } = await other.ok('POST', `/matches/like/${one.id}`);
    await one.ok('POST', `/matches/${match.id}/end`);
    const [joined, history] = [
      await other.call('GET', '/matches/history'),
      await other.call('GET', `/users/${one.id}`),
    ];
    expect(joined.body.items[0].peer).toEqual(history.body);
    expect(JSON.stringify(joined.body)).not.toMatch(/circular/i);
  });
});
