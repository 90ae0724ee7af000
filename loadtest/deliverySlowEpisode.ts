/**
 * One episode of a slow consumer: a client joins its inbox, does not read while megabytes are due to it, is closed,
 * comes back, and counts what it was told.
 */
import type { Database } from '../src/db/Database.ts';
import { append } from '../src/events/outbox.ts';
import { seqOf } from './deliveryFrames.ts';
import { seatPath, ThinSocket } from './densitySocket.ts';

export interface SlowOptions {
  port: number;
  person: { id: string; token: string };
  seat: () => Promise<{ processId: string; roomId: string; sessionId: string }>;
  db: Database;
  /** Where the person's log stands: the number of the last event so far. */
  startSeq: number;
  /** Events and their size, together more than a socket may have waiting and the kernel takes. */
  events?: number;
  eventBytes?: number;
}

export interface SlowOutcome {
  /** The server closed the socket that did not read; otherwise the client got everything on it after all. */
  wasClosed: boolean;
  /** Where numbers were passed over, on either socket. */
  gaps: string[];
  /** Events that did not come after coming back. */
  missing: number;
  /** Where the log stands now. */
  seq: number;
}

/** How long the server may take to close, and to deliver everything afterwards. */
const PATIENCE_MS = 60_000;
/** How long a client does not read. */
const STALL_MS = 6_000;
/** Events written in one transaction. */
const BATCH = 40;

export async function slowEpisode(options: SlowOptions): Promise<SlowOutcome> {
  const { port, person, seat, db, startSeq, events = 160, eventBytes = 60_000 } = options;
  const gaps: string[] = [];
  const target = startSeq + events;
  let last = startSeq;
  const reader = () => {
    let seen: number | undefined;
    return (payload: Buffer) => {
      const seq = seqOf(payload);
      if (seq === undefined) return;
      // Unacknowledged events come again on joining: a number may repeat there, but never be passed over.
      if (seq > last + 1 || (seen !== undefined && seq > seen + 1)) gaps.push(`${seen ?? last} then ${seq}`);
      seen = seq;
      last = Math.max(last, seq);
    };
  };

  const filler = 'x'.repeat(eventBytes);
  for (let written = 0; written < events; written += BATCH) {
    const some = Array.from({ length: Math.min(BATCH, events - written) }, () => ({
      userId: person.id,
      type: 'match:ready' as const,
      payload: { matchId: filler },
    }));
    await db.transaction((tx) => append(tx, some));
  }
  // All of it is due as soon as the client is in, and the client does not read.
  const slow = await ThinSocket.open(port, seatPath(await seat(), person.token), { onFrame: reader() });
  slow.socket.pause();
  await new Promise((done) => setTimeout(done, STALL_MS));
  slow.socket.resume();
  // What the kernel has is read to its end: the server's close, or everything after all.
  await until(() => slow.closeCode !== undefined || last >= target);
  const wasClosed = slow.closeCode !== undefined;
  slow.destroy();

  const back = await ThinSocket.open(port, seatPath(await seat(), person.token), { onFrame: reader() });
  await until(() => last >= target || back.closeCode !== undefined);
  const missing = target - last;
  // What was read is acknowledged over the log, as the client's `inbox:ack` does.
  await db.pool.query('update inboxes set acked = seq where user_id = $1', [person.id]);
  back.destroy();
  return { wasClosed, gaps, missing, seq: target };
}

async function until(isSo: () => boolean): Promise<boolean> {
  const end = performance.now() + PATIENCE_MS;
  while (!isSo()) {
    if (performance.now() > end) return false;
    await new Promise((done) => setTimeout(done, 20));
  }
  return true;
}
