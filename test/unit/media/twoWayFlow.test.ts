import { EventEmitter } from 'node:events';
import type { types } from 'mediasoup';
import { beforeEach, describe, expect, it } from 'vitest';
import { TwoWayFlow } from '../../../src/media/TwoWayFlow.ts';

/** Only what is read of them. */
class FakeConsumer extends EventEmitter {
  kind = 'audio';
  closed = false;
  producerPaused = false;

  sends(): void {
    this.emit('trace', { type: 'rtp' });
  }

  mute(): void {
    this.producerPaused = true;
    this.emit('producerpause');
  }
}

let traced: Set<unknown>;
let flowing: number;
let flow: TwoWayFlow;

beforeEach(() => {
  traced = new Set();
  flowing = 0;
  flow = new TwoWayFlow(
    (consumer, on) => (on ? traced.add(consumer) : traced.delete(consumer)),
    () => {
      flowing += 1;
    },
  );
});

function hear(userId: string, { muted = false, dtlsState = 'connected', kind = 'audio' } = {}) {
  const consumer = new FakeConsumer();
  consumer.kind = kind;
  const transport = { dtlsState };
  consumer.producerPaused = muted;
  flow.watch(userId, consumer as never, transport as types.WebRtcTransport);
  return { consumer, transport };
}

describe('audio in both directions', () => {
  it('is told once, when a packet has gone to each, and looked for no longer', () => {
    const [ann, ben] = [hear('ann'), hear('ben')];
    ann.consumer.sends();
    ann.consumer.sends();
    expect(flowing).toBe(0);
    expect(traced).toEqual(new Set([ben.consumer]));
    ben.consumer.sends();
    expect(flowing).toBe(1);
    expect(traced.size).toBe(0);
    // Packets whose trace was under way when it was switched off.
    ann.consumer.sends();
    ben.consumer.sends();
    hear('ann').consumer.sends();
    expect([flowing, traced.size]).toEqual([1, 0]);
  });

  it('is made by no video, which may come before any voice', () => {
    hear('ann').consumer.sends();
    const video = hear('ben', { kind: 'video' });
    video.consumer.sends();
    expect([flowing, traced.size]).toEqual([0, 0]);
    hear('ben').consumer.sends();
    expect(flowing).toBe(1);
  });

  it('is not made by what was replaced and is still under way', () => {
    hear('ann').consumer.sends();
    const before = hear('ben', { dtlsState: 'connecting' });
    const ben = hear('ben');
    before.consumer.sends();
    expect(flowing).toBe(0);
    ben.consumer.sends();
    expect(flowing).toBe(1);
  });

  it('waits for no packet of who is muted, only for the way to the other', () => {
    const ben = hear('ben', { dtlsState: 'connecting' });
    hear('ann').consumer.sends();
    ben.consumer.mute();
    expect(flowing).toBe(0);
    ben.transport.dtlsState = 'connected';
    flow.look('ben');
    expect(flowing).toBe(1);
  });

  it('is there when both are muted, before or after the other listens', () => {
    hear('ann', { muted: true });
    const ben = hear('ben');
    flow.look('ben');
    expect(flowing).toBe(0);
    ben.consumer.mute();
    expect(flowing).toBe(1);
    expect(traced.size).toBe(0);
  });

  it('is not made by what is gone', () => {
    hear('ann').consumer.sends();
    const before = hear('ben');
    const gone = hear('ben');
    before.consumer.mute();
    gone.consumer.closed = true;
    gone.consumer.mute();
    expect(flowing).toBe(0);
  });

  it('is not made of what somebody heard over a connection that is gone; and told once for all that', () => {
    hear('ann').consumer.sends();
    flow.renew('ann');
    const ben = hear('ben');
    ben.consumer.sends();
    expect(flowing).toBe(0);
    hear('ann').consumer.sends();
    expect(flowing).toBe(1);
    flow.renew('ben');
    expect(hear('ben').consumer.listenerCount('trace')).toBe(0);
    expect([flowing, traced.size]).toEqual([1, 0]);
  });
});
