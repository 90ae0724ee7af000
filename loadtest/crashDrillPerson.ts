/** One scripted person of the crash drill: likes, calls, answers, extends, hangs up, through whichever process answers. */
import { randomUUID } from 'node:crypto';
import { AccessTokens } from '../src/accounts/AccessTokens.ts';
import type { CallView } from '../src/calling/shapes.ts';
import { SystemClock } from '../src/clock.ts';
import { newId } from '../src/ids.ts';
import { SECRET } from './crashDrillCluster.ts';
import { InboxReader } from './crashDrillInbox.ts';

/** What a person was told: a success that must be found in the database afterwards. */
export interface Acknowledged {
  action: 'like' | 'unmatch' | 'initiate' | 'answer' | 'reject' | 'end' | 'extend';
  by: string;
  /** The person liked, the match or the call. */
  target: string;
  /** The call as it was shown, for actions on calls. */
  call?: CallView;
  /** Whether an earlier attempt with the same key had no answer. */
  repeated: boolean;
}

export interface Ledger {
  acknowledged: Acknowledged[];
  /** Refusals by code: they promise nothing. */
  refused: Map<string, number>;
  /** Attempts without an answer, answers with 503, and waits for a key that a dead process had taken. */
  attempts: { lost: number; unavailable: number; keyInWork: number };
  /** Answers that must never come. */
  unexpected: string[];
  /** Actions that got no answer at all in `GIVE_UP_MS`. */
  givenUp: number;
  /** Milliseconds from the first attempt to the answer, of actions whose first attempt was lost. */
  recoveredInMs: number[];
}

interface Answer {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: read field by field
  body: any;
  repeated: boolean;
}

const GIVE_UP_MS = 60_000;
const ATTEMPT_MS = 15_000;
/** Below the life of an access token. */
const SIGN_AGAIN_MS = 600_000;

export class DrillPerson {
  readonly id = newId();
  readonly inbox: InboxReader;
  readonly #ledger: Ledger;
  readonly #urls: () => string[];
  readonly #tokens = new AccessTokens({ clock: new SystemClock(), secrets: { current: SECRET } });
  readonly #matches = new Set<string>();
  #strangers: string[] = [];
  #token = '';
  #signedAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  readonly #busyWith: Set<Promise<void>> = new Set();

  constructor(ledger: Ledger, urls: () => string[]) {
    this.#ledger = ledger;
    this.#urls = urls;
    this.inbox = new InboxReader(
      async () => {
        const { body } = await this.#request('POST', '/realtime/inbox');
        return { seat: body.seat, token: await this.#currentToken() };
      },
      (type, payload) => this.#heard(type, payload),
    );
  }

  /** Lives until `stop`; the others are those whom this person may like. */
  async live(others: readonly DrillPerson[]): Promise<void> {
    this.#strangers = others.map(({ id }) => id).sort(() => Math.random() - 0.5);
    const reading = this.inbox.read();
    while (!this.#stopped) {
      await this.#once(() => this.#act());
      await pause(200 + Math.random() * 1_500);
    }
    await Promise.all(this.#busyWith);
    await reading;
  }

  /** Starts nothing new. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when what was begun before `stop` has been answered: until then it may still make a call. */
  async idle(): Promise<void> {
    while (this.#busyWith.size > 0) await Promise.all(this.#busyWith);
  }

  async #act(): Promise<void> {
    const matches = [...this.#matches];
    const match = matches[Math.floor(Math.random() * matches.length)];
    if (match === undefined || (Math.random() < 0.2 && this.#strangers.length > 0)) return this.#like();
    if (Math.random() < 0.01) return this.#unmatch(match);
    await this.#command('initiate', match, `/calls/initiate/${match}`, {});
  }

  async #like(): Promise<void> {
    const target = this.#strangers.pop();
    if (target === undefined) return;
    const answer = await this.#decide(`/matches/like/${target}`);
    if (answer?.status !== 200) return;
    this.#acknowledge({ action: 'like', target, repeated: answer.repeated });
    if (answer.body.match !== null) this.#matches.add(answer.body.match.id);
  }

  async #unmatch(target: string): Promise<void> {
    this.#matches.delete(target);
    const answer = await this.#decide(`/matches/${target}/end`);
    if (answer?.status === 200) this.#acknowledge({ action: 'unmatch', target, repeated: answer.repeated });
  }

  /** What a phone does about what it hears. Each reaction is a story of its own beside the person's others. */
  // biome-ignore lint/suspicious/noExplicitAny: events are read field by field
  #heard(type: string, payload: any): void {
    if (type === 'match:created') this.#matches.add(payload.match.id);
    if (type === 'match:ended') this.#matches.delete(payload.matchId);
    if (type === 'call:incoming') this.#aside(() => this.#rung(payload.call.id));
    if (type === 'call:answered') this.#aside(() => this.#talk(payload.call.id));
  }

  async #rung(callId: string): Promise<void> {
    await pause(Math.random() * 1_500);
    const mood = Math.random();
    if (mood < 0.75) await this.#command('answer', callId, `/calls/${callId}/answer`, {});
    else if (mood < 0.97) await this.#command('reject', callId, `/calls/${callId}/reject`);
  }

  async #talk(callId: string): Promise<void> {
    await pause(800 + Math.random() * 3_000);
    if (Math.random() < 0.7) await this.#command('extend', callId, `/calls/${callId}/extend`);
    await pause(Math.random() * 8_000);
    if (Math.random() < 0.4) await this.#command('end', callId, `/calls/${callId}/end`);
  }

  async #command(action: Acknowledged['action'], target: string, path: string, body?: object): Promise<void> {
    const answer = await this.#decide(path, body);
    if (answer === undefined || answer.status >= 300) return;
    const { call } = answer.body;
    this.#acknowledge({ action, target: call.id, call, repeated: answer.repeated });
    // For an initiator the match is what was asked for; both ends of a glare get the same call.
    if (action === 'initiate' && call.matchId !== target)
      this.#ledger.unexpected.push(`call of another match`);
  }

  #acknowledge(fact: Omit<Acknowledged, 'by'>): void {
    this.#ledger.acknowledged.push({ ...fact, by: this.id });
  }

  /** A decision under one Idempotency-Key, attempted at either process until it is answered. */
  async #decide(path: string, body?: object): Promise<Answer | undefined> {
    const { attempts, refused, unexpected } = this.#ledger;
    const key = randomUUID();
    const startedAt = performance.now();
    let repeated = false;
    for (;;) {
      const answer = await this.#request('POST', path, body, key).catch(() => undefined);
      const code: string | undefined = answer?.body?.code;
      if (answer === undefined) attempts.lost += 1;
      else if (answer.status === 503) attempts.unavailable += 1;
      else if (code === 'CONFLICT' && repeated) attempts.keyInWork += 1;
      else {
        if (code !== undefined) refused.set(code, (refused.get(code) ?? 0) + 1);
        if (answer.status >= 500 || answer.status === 401 || code === 'VALIDATION_FAILED')
          unexpected.push(`${answer.status} ${code} to ${path.replace(/[0-9a-f-]{36}/, '…')}`);
        if (repeated) this.#ledger.recoveredInMs.push(performance.now() - startedAt);
        return { ...answer, repeated };
      }
      repeated = true;
      if (performance.now() - startedAt > GIVE_UP_MS) {
        this.#ledger.givenUp += 1;
        return undefined;
      }
      await pause(100 + Math.random() * 300);
    }
  }

  async #request(
    method: string,
    path: string,
    body?: object,
    key?: string,
  ): Promise<Omit<Answer, 'repeated'>> {
    const urls = this.#urls();
    const url = urls[Math.floor(Math.random() * urls.length)]!;
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await this.#currentToken()}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    return { status: response.status, body: await response.json() };
  }

  async #currentToken(): Promise<string> {
    if (performance.now() - this.#signedAt > SIGN_AGAIN_MS) {
      const session = { userId: this.id, sessionId: newId(), role: 'user' as const };
      this.#token = (await this.#tokens.sign(session)).token;
      this.#signedAt = performance.now();
    }
    return this.#token;
  }

  #aside(story: () => Promise<void>): void {
    if (!this.#stopped) void this.#once(story);
  }

  #once(story: () => Promise<void>): Promise<void> {
    const told: Promise<void> = story()
      .catch((error: unknown) => void this.#ledger.unexpected.push(`the drill itself failed: ${error}`))
      .finally(() => this.#busyWith.delete(told));
    this.#busyWith.add(told);
    return told;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
