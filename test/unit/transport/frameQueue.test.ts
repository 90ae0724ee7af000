import { describe, expect, test, vi } from 'vitest';
import { FrameQueues, type FrameSink } from '../../../src/transport/FrameQueue.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const frame = (...bytes: number[]) => Uint8Array.from(bytes);

/** A sink that writes down what is done to it. */
function recorder(log: string[] = []): { log: string[]; sink: FrameSink } {
  return {
    log,
    sink: {
      send: (bytes) => log.push(`send ${bytes.length > 8 ? bytes.length : [...bytes].join(' ')}`),
      cork: (write) => {
        log.push('cork');
        write();
        log.push('uncork');
      },
    },
  };
}

describe('FrameQueue', () => {
  test('sends nothing before the turn ends, and then everything in order, in one piece', async () => {
    const { log, sink } = recorder();
    const queue = new FrameQueues().queueFor(sink);
    queue.push(frame(1));
    queue.push(frame(2));
    queue.push(frame(3));
    await Promise.resolve();
    expect(log).toEqual([]);
    await turn();
    expect(log).toEqual(['cork', 'send 1', 'send 2', 'send 3', 'uncork']);
  });

  test('sends one frame without further ado', async () => {
    const { log, sink } = recorder();
    const queue = new FrameQueues().queueFor(sink);
    queue.push(frame(1));
    await turn();
    queue.push(frame(2));
    await turn();
    expect(log).toEqual(['send 1', 'send 2']);
  });

  test('empties the queues of all sockets in one turn', async () => {
    const queues = new FrameQueues();
    const { log, sink } = recorder();
    const each = Array.from({ length: 3 }, () => queues.queueFor(sink));
    for (const [i, queue] of each.entries()) queue.push(frame(i));
    await turn();
    expect(log).toEqual(['send 0', 'send 1', 'send 2']);
  });

  test('what is pushed while others are sent goes out in the next turn', async () => {
    const queues = new FrameQueues();
    const { log, sink } = recorder();
    const second = queues.queueFor(sink);
    const first = queues.queueFor({ ...sink, send: () => second.push(frame(9)) });
    first.push(frame(1));
    await turn();
    await turn();
    expect(log).toEqual(['send 9']);
  });

  test('does not let a queue grow large', () => {
    const { log, sink } = recorder();
    const queue = new FrameQueues().queueFor(sink);
    queue.push(frame(1));
    queue.push(new Uint8Array(70_000));
    expect(log).toEqual(['cork', 'send 1', 'send 70000', 'uncork']);
  });

  test('counts what waits, not what was sent or dropped: over many turns no queue is large', async () => {
    const { log, sink } = recorder();
    const queue = new FrameQueues().queueFor(sink);
    for (let i = 0; i < 5; i++) {
      queue.push(new Uint8Array(30_000));
      expect(queue.bytes).toBe(30_000);
      expect(log).toHaveLength(i);
      await turn();
      expect(queue.bytes).toBe(0);
    }
    queue.push(frame(1));
    queue.close();
    expect(queue.bytes).toBe(0);
  });

  test('a turn empties the queues that have something, and keeps none of them for later', async () => {
    const queues = new FrameQueues();
    const [one, other] = [queues.queueFor(recorder().sink), queues.queueFor(recorder().sink)];
    const flush = vi.spyOn(one, 'flush');
    one.push(frame(1));
    await turn();
    other.push(frame(2));
    await turn();
    expect(flush).toHaveBeenCalledTimes(1);
  });

  test('flush sends at once and leaves nothing for later', async () => {
    const { log, sink } = recorder();
    const queue = new FrameQueues().queueFor(sink);
    queue.push(frame(1));
    queue.flush();
    expect(log).toEqual(['send 1']);
    await turn();
    queue.flush();
    expect(log).toEqual(['send 1']);
  });

  test('a closed queue drops what waits and what comes', async () => {
    const { log, sink } = recorder();
    const queue = new FrameQueues().queueFor(sink);
    queue.push(frame(1));
    queue.close();
    queue.push(frame(2));
    await turn();
    expect(log).toEqual([]);
  });

  test('a socket that throws is sent to no more and disturbs no other', async () => {
    const queues = new FrameQueues();
    const { log, sink } = recorder();
    let failures = 0;
    const throwing = () => {
      failures++;
      throw new Error('Invalid access of closed uWS.WebSocket');
    };
    const broken = queues.queueFor({ send: throwing, cork: throwing });
    const sound = queues.queueFor(sink);
    broken.push(frame(1));
    sound.push(frame(2));
    await turn();
    broken.push(frame(3));
    await turn();
    expect({ log, failures }).toEqual({ log: ['send 2'], failures: 1 });
  });
});
