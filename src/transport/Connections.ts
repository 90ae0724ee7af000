import type { HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { AdmissionOptions } from './Admission.ts';
import { peerAddress, type TrustedProxies } from './peerAddress.ts';
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
/** From this share of all connections on, no address opens more than its own share of them in `OPENINGS_MS`. */
const CROWDED = 3 / 4;
const SHARE_OF_ADDRESS = 1 / 16;
/** Longer than one lasts on which nothing is asked for, which is 12 s, or 32 s after an answer. */
const OPENINGS_MS = 60_000;

/**
 * All connections of a process, whatever is spoken on them. A bound is needed because a process that can open no file
 * more cannot even refuse: the connection stays in line, and its loop is told of it again and again.
 *
 * Whose connection ended uWebSockets.js does not say, but it says who opens one. So while there are many, an address opens
 * only so many in a while: who lets theirs lie idle never has the last eighth, which is the others'. What our
 * own proxies open is everybody's.
 */
export class Connections {
  readonly #max: number;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #proxies: TrustedProxies;
  readonly #addressKey: (address: string) => string;
  #count = 0;
  #refused = 0;
  #tellAtMs = 0;
  /** How many each address opened since `#openingsEndMs - OPENINGS_MS`, of those that came while there were many. */
  readonly #openings = new Map<string, number>();
  #openingsEndMs = 0;

  constructor(
    app: TemplatedApp,
    proxies: TrustedProxies,
    options: ConnectionOptions & Pick<AdmissionOptions, 'addressKey'>,
  ) {
    this.#max = options.maxConnections ?? Math.floor(openFilesLimit() * SHARE_OF_FILES);
    this.#log = options.log;
    this.#clock = options.clock;
    this.#proxies = proxies;
    this.#addressKey = options.addressKey ?? String;
    onConnection(app, (res, change) => {
      this.#count += change;
      if (change < 0 || this.#hasRoom(res)) return;
      this.#tell();
      // Its end is told as any other's.
      res.close();
    });
  }

  /** A socket has closed: its end is told to its handler only. */
  socketClosed(): void {
    this.#count--;
  }

  #hasRoom(res: HttpResponse): boolean {
    if (this.#count > this.#max) return false;
    if (this.#count <= this.#max * CROWDED) return true;
    // What a proxy says of the client comes with a request.
    const address = peerAddress(res.getRemoteAddress(), this.#proxies, () => '');
    return this.#proxies.has(address) || this.#mayOpen(this.#addressKey(address));
  }

  #mayOpen(key: string): boolean {
    const now = this.#clock.now();
    if (now >= this.#openingsEndMs) {
      this.#openings.clear();
      this.#openingsEndMs = now + OPENINGS_MS;
    }
    const opened = (this.#openings.get(key) ?? 0) + 1;
    this.#openings.set(key, opened);
    return opened <= Math.max(1, this.#max * SHARE_OF_ADDRESS);
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
