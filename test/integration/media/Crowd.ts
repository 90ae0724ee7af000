import { readdirSync, readFileSync } from 'node:fs';
import type { Couple } from '../../support/signedIn.ts';
import type { CallPage, CallPages } from './callPages.ts';

/** What one person hears through one transport. Times are on the clock that all processes of a machine share. */
type Ear = { firstMs: number; lastMs: number };
/** `ears`: of all transports so far, the present one last; the rest is of that one. */
export type Heard = { userId: string; callId: string; energy: number; packetsLost: number; ears: Ear[] };

/** Many calls at once between people of the product's own client, with Chromium at both ends. */
export class Crowd {
  readonly #pages: { callers: CallPage; callees: CallPage };
  readonly #callOf = new Map<string, string>();

  static async open(pages: CallPages): Promise<Crowd> {
    const [callers, callees] = await Promise.all([pages.crowd(), pages.crowd()]);
    return new Crowd({ callers, callees });
  }

  private constructor(pages: { callers: CallPage; callees: CallPage }) {
    this.#pages = pages;
  }

  /** One more call, answered at once. */
  async call({ ann, bob, matchId }: Couple): Promise<void> {
    const { url } = ann;
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const answered = await bob.ok('POST', `/calls/${call.id}/answer`, {});
    const { callers, callees } = this.#pages;
    for (const { id } of [ann, bob]) this.#callOf.set(id, call.id);
    // The caller sits down knowing of no answer, and learns of it while everything comes up.
    await callers.do('sit', url, ann.token, seat, call, ann.id);
    await callees.do('sit', url, bob.token, answered.seat, answered.call, bob.id);
  }

  /** What everybody has heard so far. */
  async heard(): Promise<Heard[]> {
    const { callers, callees } = this.#pages;
    const both: Omit<Heard, 'callId'>[][] = await Promise.all([callers.do('heard'), callees.do('heard')]);
    return both.flat().map((one) => ({ ...one, callId: this.#callOf.get(one.userId)! }));
  }

  /** What everybody has heard, once all hear the tone. */
  async allHear(): Promise<Map<string, Heard> | undefined> {
    const heard = await this.heard();
    const all = heard.length === this.#callOf.size && heard.every(({ energy }) => energy > 0);
    return all ? new Map(heard.map((one) => [one.userId, one])) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { callers, callees } = this.#pages;
    await Promise.all([callers.close(), callees.close()]);
  }
}

/** The media workers of a server, by its process id. */
export function workersOf(serverPid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && isWorkerOf(pid, serverPid));
}

function isWorkerOf(pid: number, serverPid: number): boolean {
  try {
    const [, name, parent] = /\((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return Number(parent) === serverPid && name!.startsWith('mediasoup');
  } catch {
    // It ended in the meantime.
    return false;
  }
}
