/**
 * What is sent to a socket within one turn of the event loop leaves together, in order, in one write.
 *
 * A room tells its clients several things in answer to one message (an event, a state patch, a reply), and a system
 * call for each is what sending costs most. So frames wait in a queue of their socket until the turn ends. Nothing
 * waits longer than that, and a queue that grows large is sent at once: how far a client may fall behind is for the
 * socket's own limit to say, which closes it.
 */

/** The part of a socket that sending needs. Each call may throw if the socket is closed. */
export type FrameSink = {
  send(frame: Uint8Array): void;
  /** Runs `write`; what it sends goes out as one piece. */
  cork(write: () => void): void;
};

const SEND_AT_ONCE_BYTES = 64 * 1024;
/** Never changed. */
const NOTHING: Uint8Array[] = [];

/** All queues of a process that have something to send. */
export class FrameQueues {
  #waiting: FrameQueue[] = [];
  #scheduled = false;

  /** A queue for one socket. */
  queueFor(sink: FrameSink): FrameQueue {
    return new FrameQueue(sink, this);
  }

  /** Empties `queue` when the turn ends. */
  schedule(queue: FrameQueue): void {
    this.#waiting.push(queue);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      const queues = this.#waiting;
      this.#waiting = [];
      this.#scheduled = false;
      for (const queue of queues) queue.flush();
    });
  }
}

export class FrameQueue {
  readonly #sink: FrameSink;
  readonly #queues: FrameQueues;
  // Shared while nothing waits: there are tens of thousands of idle queues.
  #frames: Uint8Array[] = NOTHING;
  #bytes = 0;
  #closed = false;

  constructor(sink: FrameSink, queues: FrameQueues) {
    this.#sink = sink;
    this.#queues = queues;
  }

  /** What waits for the end of the turn. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Queues a frame. It must not change any more: whoever reuses its memory copies it first. */
  push(frame: Uint8Array): void {
    if (this.#closed) return;
    if (this.#frames === NOTHING) this.#frames = [frame];
    else this.#frames.push(frame);
    this.#bytes += frame.byteLength;
    if (this.#bytes > SEND_AT_ONCE_BYTES) this.flush();
    else if (this.#frames.length === 1) this.#queues.schedule(this);
  }

  /** Sends what waits, now. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0 || this.#closed) return;
    this.#frames = NOTHING;
    this.#bytes = 0;
    try {
      if (frames.length === 1) {
        this.#sink.send(frames[0]!);
      } else {
        this.#sink.cork(() => {
          for (const frame of frames) this.#sink.send(frame);
        });
      }
    } catch {
      // A socket that turns out to be closed says so itself.
      this.close();
    }
  }

  /** The socket is gone: what waits is dropped, and so is what comes. */
  close(): void {
    this.#closed = true;
    this.#frames = NOTHING;
    this.#bytes = 0;
  }
}
