import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { observer, type types } from 'mediasoup';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/clock.ts';
import type { MediaWorkers } from '../../../src/media/MediaWorkers.ts';
import { TcpGate } from '../../../src/media/TcpGate.ts';
import { PROBE_EVERY_MS, PROBE_TIMEOUT_MS, WorkerProcess } from '../../../src/media/WorkerProcess.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { ANN, AUDIO, BEN, CAPABILITIES, codeOf, createCall, startWorkers, until } from './harness.ts';

let workers: MediaWorkers | null = null;

afterEach(async () => {
  await workers?.close();
  workers = null;
});

async function start(...options: Parameters<typeof startWorkers>): Promise<MediaWorkers> {
  workers = await startWorkers(...options);
  return workers;
}

/** A call in which ann sends and ben listens. */
async function liveCall(pool: MediaWorkers) {
  const { call, told } = await createCall(pool);
  const send = await call.open(ANN, 'send');
  await call.open(BEN, 'recv');
  const producerId = await call.produce(ANN, send.id, 'audio', AUDIO());
  const { consumerId } = await call.consume(BEN, producerId, CAPABILITIES(call));
  await call.resume(BEN, consumerId);
  return { call, told };
}

const pids = (pool: MediaWorkers) => pool.processes.map((process) => process.worker.pid);

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('media workers', () => {
  it('places calls on the worker with the fewest, also when they start at once', async () => {
    const pool = await start({ count: 2 });
    await Promise.all(Array.from({ length: 6 }, () => createCall(pool)));
    const routers = await Promise.all(
      pool.processes.map(async ({ worker }) => (await worker.dump()).routerIds.length),
    );
    expect(routers).toEqual([3, 3]);
  });

  it('FT-19: of 20 calls on two workers, the 10 of a killed one are told and made anew, the others notice nothing', async () => {
    const lost: unknown[] = [];
    // It stands still: no watchdog has to come round for that.
    const clock = new FakeClock();
    const pool = await start({ count: 2, clock, onWorkerLost: (event) => lost.push(event) });
    const calls = await Promise.all(Array.from({ length: 20 }, () => liveCall(pool)));
    const [killed, kept] = pids(pool);
    process.kill(killed!, 'SIGKILL');
    await until('ten calls are told', () => calls.filter(wasTold).length === 10);
    expect(lost).toEqual([{ index: 0, cause: 'died', calls: 10 }]);

    // Both kinds of call go on at once: those that were lost on a new router, the others as if nothing had been.
    const dead = calls.filter(wasTold);
    const alive = calls.filter((one) => !wasTold(one));
    expect(await codeOf(dead[0]!.call.open(ANN, 'send'))).toBe('UNAVAILABLE');
    const again = await Promise.all(dead.map(() => liveCall(pool)));
    expect(again).toHaveLength(10);
    for (const { call } of alive) expect(call.producers(ANN)).toHaveLength(1);
    for (const { call } of alive) expect(await codeOf(call.open(BEN, 'send'))).toBe('done');
    for (const { call } of [...calls, ...again]) call.close();

    clock.advance(0);
    await until('the worker is replaced', () => pool.health.alive === 2);
    expect(pids(pool)[1]).toBe(kept);
    expect(calls.filter(wasTold)).toHaveLength(10);
    expect(pool.health.calls).toBe(0);
  });

  it('has a new call wait for the replacement when the only worker died', async () => {
    const clock = new FakeClock();
    const pool = await start({ clock });
    const { told } = await liveCall(pool);
    const { port } = pool.processes[0]!;
    process.kill(pids(pool)[0]!, 'SIGKILL');
    await until('the call is told', () => wasTold({ told }));
    const waiting = liveCall(pool);
    // The first replacement comes without a pause.
    clock.advance(0);
    await waiting;
    expect(pool.processes[0]!.port).toBe(port);
  });

  it('replaces a replacement that died when all but its gate was there', async () => {
    const clock = new FakeClock();
    const pool = await start({ clock });
    const replacement = Promise.withResolvers<types.Worker>();
    observer.once('newworker', replacement.resolve);
    const open = TcpGate.open.bind(TcpGate);
    vi.spyOn(TcpGate, 'open').mockImplementationOnce(async (options) => {
      const worker = await replacement.promise;
      const died = once(worker, 'died');
      process.kill(worker.pid, 'SIGKILL');
      await died;
      return open(options);
    });
    process.kill(pids(pool)[0]!, 'SIGKILL');
    await until('the worker is lost', () => pool.health.alive === 0);
    clock.advance(0);
    const dying = await replacement.promise;
    if (!dying.died) await once(dying, 'died');
    await until('there is another', () => {
      clock.advance(PROBE_EVERY_MS);
      return pids(pool).some(isRunning);
    });
    await liveCall(pool);
  });

  it('FT-20: kills and replaces a worker that stands still, within three seconds, and lets nobody wait for ever', async () => {
    const clock = new FakeClock();
    const pool = await start({ count: 2, clock });
    const calls = await Promise.all([liveCall(pool), liveCall(pool)]);
    const [, kept] = pool.processes;
    const [stopped] = pids(pool);
    process.kill(stopped!, 'SIGSTOP');
    const stoppedAt = clock.now();
    const asked = calls.map(({ call }) => codeOf(call.open(BEN, 'send')));
    await Promise.race(asked);
    clock.advance(PROBE_EVERY_MS);
    await kept!.probe();
    clock.advance(PROBE_TIMEOUT_MS);
    expect((await Promise.all(asked)).sort()).toEqual(['UNAVAILABLE', 'done']);
    clock.advance(0);
    await until('the worker is replaced', () => pool.health.alive === 2 && !pids(pool).includes(stopped!));
    expect(clock.now() - stoppedAt).toBeLessThan(3_000);
    expect(calls.filter(wasTold).map(({ told }) => told.at(-1))).toEqual([{ event: 'lost', cause: 'hung' }]);
    expect(isRunning(stopped!)).toBe(false);
  });

  it('does not take its own standing still for the worker’s', async () => {
    const pool = await start();
    const { told } = await liveCall(pool);
    const blockedUntil = performance.now() + 2_500;
    // Until a probe is under way.
    await new Promise((resolve) => setTimeout(resolve, PROBE_EVERY_MS - 5));
    while (performance.now() < blockedUntil);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(wasTold({ told })).toBe(false);
    expect(pool.health.alive).toBe(1);
  });

  it('notices a channel that a serialiser broke, and replaces the worker', async () => {
    const pool = await start({ count: 2 });
    const calls = await Promise.all([liveCall(pool), liveCall(pool)]);
    const { call } = calls[0]!;
    const send = await call.open(ANN, 'send');
    // Past the schema, as a hole in it would let it: BigInt(1.5) throws in the middle of an object.
    const poison = { ...AUDIO(), encodings: [{ ssrc: 1, maxBitrate: 1.5 }] };
    expect(await codeOf(call.produce(ANN, send.id, 'audio', poison))).toBe('VALIDATION_FAILED');
    await until('the call is told', () => wasTold(calls[0]!));
    expect(calls[0]!.told.at(-1)).toEqual({ event: 'lost', cause: 'wedged' });
    expect(wasTold(calls[1]!)).toBe(false);
    await until('the worker is replaced', () => pool.health.alive === 2);
    await liveCall(pool);
  });

  it('closes a call on a broken channel without throwing', async () => {
    const pool = await start();
    const { call, told } = await liveCall(pool);
    const send = await call.open(ANN, 'send');
    const poison = { ...AUDIO(), encodings: [{ ssrc: 1, maxBitrate: 1.5 }] };
    const refused = codeOf(call.produce(ANN, send.id, 'audio', poison));
    expect(() => call.setPolicy({ audio: false, video: false })).not.toThrow();
    expect(() => call.close()).not.toThrow();
    expect(await refused).toBe('VALIDATION_FAILED');
    expect(wasTold({ told })).toBe(false);
    await liveCall(pool);
  });

  it('backs off when replacements die too, and says so', async () => {
    const clock = new FakeClock();
    const pool = await start({ clock });
    const started = vi.spyOn(WorkerProcess, 'start');
    for (const pauseMs of [0, 250, 500]) {
      started.mockClear();
      const [{ exited }] = pool.processes as [WorkerProcess];
      process.kill(pids(pool)[0]!, 'SIGKILL');
      await until('it is gone', () => pool.health.alive === 0);
      await exited;
      clock.advance(pauseMs - 1);
      await new Promise((resolve) => setImmediate(resolve));
      expect(started).not.toHaveBeenCalled();
      clock.advance(1);
      await until('a worker is up', () => pool.health.alive === 1);
      expect(started).toHaveBeenCalledTimes(1);
    }
    started.mockRestore();
  });

  it('gives up on a call with UNAVAILABLE when no worker comes up', async () => {
    const pool = await start({ workerBin: process.env.MEDIASOUP_WORKER_BIN });
    await pool.close();
    expect(await codeOf(createCall(pool))).toBe('UNAVAILABLE');
    expect(pool.health).toEqual({ workers: 1, alive: 0, calls: 0 });
  });

  it('passes on no secret', async () => {
    process.env.JWT_SECRET = 'a secret of the server';
    try {
      const pool = await start();
      const environment = readFileSync(`/proc/${pids(pool)[0]}/environ`, 'utf8');
      expect(environment).toContain('MEDIASOUP_VERSION');
      expect(environment).not.toContain('JWT_SECRET');
      expect(environment).not.toContain('a secret of the server');
      expect(process.env.JWT_SECRET).toBe('a secret of the server');
    } finally {
      delete process.env.JWT_SECRET;
    }
  });

  it('PV-20: keeps nothing of what is said: no file is open in a worker with a call', async () => {
    const pool = await start();
    await liveCall(pool);
    const folder = `/proc/${pids(pool)[0]}/fd`;
    const open = readdirSync(folder).map((fd) => readlinkSync(`${folder}/${fd}`));
    expect(open.some((target) => target.startsWith('socket:'))).toBe(true);
    expect(open.filter((target) => target.startsWith('/') && !target.startsWith('/dev/'))).toEqual([]);
  });

  it('leaves signals to the server: no listener of its own, and a process group apart', async () => {
    const before = { int: process.listenerCount('SIGINT'), term: process.listenerCount('SIGTERM') };
    const pool = await start({ count: 2 });
    expect({ int: process.listenerCount('SIGINT'), term: process.listenerCount('SIGTERM') }).toEqual(before);
    const groupOf = (pid: number | 'self') =>
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[2];
    for (const pid of pids(pool)) expect(groupOf(pid)).not.toBe(groupOf('self'));
  });

  it('outlives what the server outlives, and nothing more', async () => {
    const server = spawn(process.execPath, [`${import.meta.dirname}/serverProcess.ts`], { detached: true });
    let said = '';
    server.stdout.on('data', (chunk) => {
      said += chunk;
    });
    await until('the workers are up', () => said.includes('\n'), 15_000);
    const running = said.trim().split(' ').map(Number);
    // As Ctrl-C in a terminal does: to the whole process group.
    process.kill(-server.pid!, 'SIGINT');
    await until('the server is interrupted', () => said.includes('interrupted'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(running.map(isRunning)).toEqual([true, true]);
    server.kill('SIGKILL');
    await until('its workers are gone', () => !running.some(isRunning), 10_000);
  });

  it('leaves no process behind, not even one that stands still', async () => {
    const pool = await start({ count: 2 });
    await liveCall(pool);
    const running = pids(pool);
    process.kill(running[0]!, 'SIGSTOP');
    await pool.close();
    await pool.close();
    expect(running.map(isRunning)).toEqual([false, false]);
  });

  it('does not start on a port that is taken, and leaves nothing of the attempt', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as { port: number };
    await expect(startWorkers({ basePort: port })).rejects.toThrow(`cannot listen on port ${port}`);
    await new Promise((resolve) => holder.close(resolve));
    const pool = await start({ basePort: port });
    expect(pool.processes[0]!.port).toBe(port);
  });

  it('does not start when the worker does not', async () => {
    await expect(startWorkers({ workerBin: '/nonexistent/mediasoup-worker' })).rejects.toThrow();
    await expect(startWorkers({ listenIp: '0.0.0.0' })).rejects.toThrow('MEDIA_ANNOUNCED_ADDRESS');
  });

  it('announces the address that it is told to, and only that', async () => {
    const pool = await start({ listenIp: '0.0.0.0', announcedAddress: '203.0.113.7' });
    const { call } = await createCall(pool);
    const { iceCandidates } = await call.open(ANN, 'send');
    expect(new Set(iceCandidates.map(({ address }) => address))).toEqual(new Set(['203.0.113.7']));
  });

  it('closes what a worker made after its time was up', async () => {
    const { calls } = { calls: [] as string[] };
    const process = await WorkerProcess.start({
      listenIp: '127.0.0.1',
      announcedAddress: undefined,
      port: 0,
      workerBin: undefined,
      clock: { ...clockOf(new SystemClock(), 20) },
      log: { debug() {}, info() {}, warn() {}, error() {}, child: () => silent },
    });
    const late = new Promise<string>((resolve) => setTimeout(() => resolve('made'), 200));
    const refused = codeOf(process.ask('slow', () => late, { late: (value) => calls.push(value) }));
    expect(await refused).toBe('UNAVAILABLE');
    await until('it is closed', () => calls.length === 1);
    await process.close();
  });
});

const silent = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** A clock whose time-outs of requests (2 s) are shorter. */
function clockOf(clock: SystemClock, requestTimeoutMs: number) {
  return {
    now: () => clock.now(),
    after: (delayMs: number, fn: () => void) =>
      clock.after(delayMs === 2_000 ? requestTimeoutMs : delayMs, fn),
  };
}

function wasTold({ told }: { told: { event: string }[] }): boolean {
  return told.some((one) => one.event === 'lost');
}
