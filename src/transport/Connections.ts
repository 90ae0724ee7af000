import type { TemplatedApp } from 'uWebSockets.js';
import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import { onConnection } from './uws.ts';

export type ConnectionOptions = {
  /** Beyond so many, new ones are closed at once. Three quarters of the files that the process may open, by default. */
  maxConnections?: number | undefined;
  log: Log;
  clock: Clock;
};

/** The rest is for what is not a client: databases, media workers, files of uploads. */
const SHARE_OF_FILES = 0.75;
/** Where the system does not say how many files a process may open. */
const FILES = 4096;
const TELL_EVERY_MS = 60_000;

/**
 * All connections of a process, whatever is spoken on them. A bound is needed because a process that can open no file
 * more cannot even refuse: the connection stays in line, and its loop is told of it again and again.
 *
 * Bounded together: uWebSockets.js does not say whose connection it was that ended.
 */
export class Connections {
  readonly #max: number;
  readonly #log: Log;
  readonly #clock: Clock;
  #count = 0;
  #refused = 0;
  #tellAtMs = 0;

  constructor(app: TemplatedApp, { maxConnections, log, clock }: ConnectionOptions) {
    this.#max = maxConnections ?? Math.floor(openFilesLimit() * SHARE_OF_FILES);
    this.#log = log;
    this.#clock = clock;
    onConnection(app, (res, change) => {
      this.#count += change;
      if (change < 0 || this.#count <= this.#max) return;
      this.#tell();
      // Its end is told as any other's.
      res.close();
    });
  }

  /** A socket has closed: its end is told to its handler only. */
  socketClosed(): void {
    this.#count--;
  }

  #tell(): void {
    this.#refused++;
    const now = this.#clock.now();
    if (now < this.#tellAtMs) return;
    this.#tellAtMs = now + TELL_EVERY_MS;
    this.#log.warn(
      { max: this.#max, refused: this.#refused },
      'There are too many connections; new ones are closed.',
    );
    this.#refused = 0;
  }
}

function openFilesLimit(): number {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Number(soft ?? FILES);
  } catch {
    return FILES;
  }
}
