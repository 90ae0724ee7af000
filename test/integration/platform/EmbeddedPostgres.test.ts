import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, expect, test } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/platform/EmbeddedPostgres.ts';
import { POSTGRES_ENVIRONMENT, postgresBinaries } from '../../../src/platform/postgresBinaries.ts';
import { postgresUser, startingAs } from '../../../src/platform/postgresUser.ts';
import { processInfo } from '../../../src/platform/processInfo.ts';

const log = createLog('silent');
const folder = mkdtempSync(join(tmpdir(), 'duet-pg-'));
const dataDir = join(folder, 'postgres');
const MODULE = resolve(import.meta.dirname, '../../../src/platform/EmbeddedPostgres.ts');

let started: EmbeddedPostgres[] = [];

afterEach(async () => {
  await Promise.all(started.map((server) => server.close()));
  started = [];
});

afterAll(() => rmSync(folder, { recursive: true }));

async function start(settings: Record<string, number> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, log, settings });
  started.push(server);
  return server;
}

/** Another process that starts the server, says where it is, and then waits to be killed. */
async function startElsewhere(): Promise<{ child: ChildProcess; url: string }> {
  const program = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(MODULE)});
    const quiet = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
    const { url } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, log: quiet });
    console.log(url);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr!.on('data', (chunk) => {
    said += chunk;
  });
  const [line] = await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error(said))),
  ]);
  return { child, url: String(line).trim() };
}

/** Two at the same moment: the one that got the folder, and what the other was told. */
async function startTwoElsewhere() {
  const results = await Promise.allSettled([startElsewhere(), startElsewhere()]);
  const [winner] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const [told] = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  return { winner: winner!, told };
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  } finally {
    await client.end();
  }
}

function serverPid(): number {
  return Number(readFileSync(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

test('starts from nothing, keeps its data over a restart, closes twice', async () => {
  const first = await start({ max_connections: 33 });
  expect(await ask(first.url, `select current_setting('max_connections')`)).toBe('33');
  expect(await ask(first.url, `select current_setting('server_encoding')`)).toBe('UTF8');
  expect(await ask(first.url, `select current_setting('listen_addresses')`)).toBe('127.0.0.1');
  await ask(first.url, 'create table kept as select 42 as n');
  await Promise.all([first.close(), first.close()]);
  await expect(ask(first.url, 'select 1')).rejects.toThrow();
  expect(existsSync(join(dataDir, 'cluster', 'postmaster.pid'))).toBe(false);

  const second = await start();
  expect(await ask(second.url, 'select n from kept')).toBe(42);
  await second.close();
});

test('wants the password, which only its user can read', async () => {
  const server = await start();
  const url = new URL(server.url);
  url.password = 'guessed';
  await expect(ask(url.href, 'select 1')).rejects.toThrow(/password authentication failed/);
  await server.close();
  expect(statSync(join(dataDir, 'cluster', 'duet-password')).mode & 0o777).toBe(0o600);
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
});

test('a second process is told that the folder is in use', async () => {
  const { child, url } = await startElsewhere();
  await expect(start()).rejects.toThrow(`Process ${child.pid} already runs PostgreSQL`);
  expect(await ask(url, 'select 1')).toBe(1);
  child.kill('SIGKILL');
  await once(child, 'exit');
});

test('a process that is killed takes its server with it, and the next start works at once', async () => {
  const { child } = await startElsewhere();
  const pid = serverPid();
  child.kill('SIGKILL');
  await once(child, 'exit');

  const server = await start();
  expect(await ask(server.url, 'select n from kept')).toBe(42);
  expect(serverPid()).not.toBe(pid);
  expect(processInfo(pid)).toBeNull();
  await server.close();
});

test('of two that start at the same moment on nothing one gets the folder, and so it does later', async () => {
  rmSync(dataDir, { recursive: true });
  const first = await startTwoElsewhere();
  expect(first.told).toContain(`Process ${first.winner.child.pid} already runs PostgreSQL`);
  await ask(first.winner.url, 'create table kept as select 42 as n');
  expect(readdirSync(dataDir).sort()).toEqual(['cluster', 'postgres.log']);
  first.winner.child.kill('SIGKILL');
  await once(first.winner.child, 'exit');

  const { winner, told } = await startTwoElsewhere();
  expect(told).toContain(`Process ${winner.child.pid} already runs PostgreSQL`);
  // Who lost has taken nothing with it by which the others know whose the server is.
  await expect(start()).rejects.toThrow(`Process ${winner.child.pid} already runs PostgreSQL`);
  expect(await ask(winner.url, 'select n from kept')).toBe(42);
  winner.child.kill('SIGKILL');
  await once(winner.child, 'exit');
});

test('what a killed set-up has left is cleared away; that of one that lives is not', async () => {
  const other = join(folder, 'unfinished');
  const { pid: gone } = spawnSync('true');
  const left = ['cluster.new', `cluster.${gone}`, `cluster.${gone}.password`, `cluster.${process.ppid}`];
  for (const name of left) mkdirSync(join(other, name), { recursive: true });
  const server = await startEmbeddedPostgres({ dataDir: other, log });
  await server.close();
  expect(readdirSync(other).sort()).toEqual(['cluster', `cluster.${process.ppid}`, 'postgres.log']);
});

test('a folder of an earlier version, with the password beside the cluster, goes on to work', async () => {
  renameSync(join(dataDir, 'cluster', 'duet-password'), join(dataDir, 'password'));
  const server = await start();
  expect(await ask(server.url, 'select n from kept')).toBe(42);
  await server.close();
});

test.runIf(process.getuid?.() === 0)(
  'a user that the machine does not know is told in a sentence',
  async () => {
    const nobodys = join(folder, 'nobodys');
    mkdirSync(nobodys);
    chownSync(nobodys, 54321, 54321);
    await expect(startEmbeddedPostgres({ dataDir: nobodys, log })).rejects.toThrow(
      /^PostgreSQL needs a user that \/etc\/passwd knows/,
    );
  },
);

test.runIf(process.getuid?.() === 0 && process.platform === 'linux')(
  'a checkout that only root may enter, as one in /root, serves as well',
  async () => {
    const checkout = join(folder, 'of root');
    mkdirSync(checkout, { mode: 0o700 });
    const programs = dirname((await postgresBinaries()).initdb);
    cpSync(dirname(programs), join(checkout, 'native'), { recursive: true, verbatimSymlinks: true });
    const initdb = join(checkout, 'native', basename(programs), 'initdb');
    const data = join(checkout, 'data');
    mkdirSync(data);
    const user = postgresUser(join(checkout, 'none'))!;
    chownSync(data, user.uid, user.gid);
    const cluster = join(data, 'cluster');
    const { prefix, options } = startingAs(user, [initdb, cluster]);
    const [file, ...args] = [...prefix, initdb, `--pgdata=${cluster}`, '--no-sync'];
    const { stderr } = spawnSync(file!, args, {
      ...options,
      cwd: '/',
      env: POSTGRES_ENVIRONMENT,
      encoding: 'utf8',
    });
    expect(stderr).not.toMatch(/error|invalid/);
    expect(statSync(join(cluster, 'PG_VERSION')).uid).toBe(user.uid);
  },
);

test('a process number that belongs to somebody else by now does not stand in the way', async () => {
  writeFileSync(
    join(dataDir, 'cluster', 'postmaster.pid'),
    `${process.pid}\n${dataDir}/cluster\n1\n1\n\n\n\nready\n`,
  );
  const server = await start();
  expect(await ask(server.url, 'select n from kept')).toBe(42);
  await server.close();
});

test('says in PostgreSQL’s own words why it does not start', async () => {
  await expect(start({ no_such_setting: 1 })).rejects.toThrow(
    /unrecognized configuration parameter "no_such_setting"/,
  );
});
