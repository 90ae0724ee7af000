import { resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import type { Seat } from '../../../src/actors/Actors.ts';
import { openBrowser } from '../../support/browser.ts';
import type { Person } from '../../support/client.ts';

/** The scripts under `page/` that take a seat themselves. */
type Script = 'plain' | 'sfu' | 'sdk' | 'crowd';

/** Functions of those pages, by name; see there. */
type InPage = (name: string, ...args: unknown[]) => Promise<never>;

/** Chromium, with one page a person that speaks to the whole program as a browser does. */
export class CallPages {
  readonly #browser: Browser;
  readonly #url: string;

  /** `flags`: for Chromium, beside the usual ones. */
  static async open(url: string, flags: string[] = []): Promise<CallPages> {
    return new CallPages(url, await openBrowser(flags));
  }

  private constructor(url: string, browser: Browser) {
    this.#url = url;
    this.#browser = browser;
  }

  /** A page of its own context, in the call's room; `roomUrl`: where the room is reached, if not at the program. */
  async sit(script: 'plain' | 'sfu', person: Person, seat: Seat, roomUrl = this.#url): Promise<CallPage> {
    const callPage = await this.#open(script);
    await callPage.do('sit', roomUrl, person.token, seat);
    return callPage;
  }

  async #open(script: Script): Promise<CallPage> {
    const context = await this.#browser.newContext({
      permissions: ['microphone', 'camera'],
      bypassCSP: true,
    });
    const page = await context.newPage();
    // Any answer of the program's own makes the page one of its origin; what a browser may reach follows from that.
    await page.goto(`${this.#url}/health/liveness`);
    await page.addScriptTag({ content: await pageScript(script), type: 'module' });
    await page.waitForFunction(() => 'duet' in globalThis);
    return new CallPage({
      evaluate: (run, given) => page.evaluate(run, given),
      close: () => context.close(),
    });
  }

  /** The same with the product's own client, which wants to know the call. `probe`: its `heardAt` will be asked. */
  async sitWithSdk(
    person: Person,
    call: object,
    seat: Seat,
    roomUrl = this.#url,
    how: { probe?: boolean; isEncrypted?: boolean } = {},
  ): Promise<CallPage> {
    const callPage = await this.#open('sdk');
    const frameWorker = how.isEncrypted ? await frameWorkerScript() : undefined;
    const { probe = false } = how;
    await callPage.do('sit', roomUrl, person.token, seat, call, person.id, { probe, frameWorker });
    return callPage;
  }

  /** A page with room for many people, each with the product's own client. */
  crowd(): Promise<CallPage> {
    return this.#open('crowd');
  }

  async close(): Promise<void> {
    await this.#browser.close();
  }
}

type Call = [name: string, args: unknown[]];

/** A page as the tool that drives its browser has it. */
interface DrivenPage {
  evaluate(run: (call: Call) => unknown, call: Call): Promise<unknown>;
  close(): Promise<void>;
}

export class CallPage {
  readonly #page: DrivenPage;

  constructor(page: DrivenPage) {
    this.#page = page;
  }

  /** Calls a function of the page. */
  do: InPage = (name, ...args) =>
    this.#page.evaluate(
      ([name, args]) =>
        (globalThis as unknown as { duet: Record<string, (...a: unknown[]) => unknown> }).duet[name]!(
          ...args,
        ),
      [name, args],
    ) as Promise<never>;

  /** What a message to the room is answered with: the code of a refusal, or `done`. */
  async ask(type: string, payload: object = {}): Promise<string> {
    return this.do('ask', type, payload).then(
      () => 'done',
      (error: Error) => /Error: ([A-Z_]+)\b/.exec(error.message)?.[1] ?? error.message,
    );
  }

  /** Waits until so much of a kind has come in. */
  async hears(
    kind: 'audio' | 'video',
    least: { bytes?: number; frames?: number },
    withinMs = 20_000,
  ): Promise<void> {
    const end = performance.now() + withinMs;
    for (;;) {
      const got: { bytes: number; frames: number } = await this.do('received', kind);
      if (got.bytes >= (least.bytes ?? 0) && got.frames >= (least.frames ?? 0)) return;
      if (performance.now() > end) throw new Error(`${kind} within ${withinMs} ms: ${JSON.stringify(got)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Bytes of a kind that come in within `forMs`. */
  async flow(kind: 'audio' | 'video', forMs: number): Promise<number> {
    const before: { bytes: number } = await this.do('received', kind);
    await new Promise((resolve) => setTimeout(resolve, forMs));
    const after: { bytes: number } = await this.do('received', kind);
    return after.bytes - before.bytes;
  }

  close(): Promise<void> {
    return this.#page.close();
  }
}

/** What a page runs, in one file. */
export const pageScript = (script: Script) => bundled(`${import.meta.dirname}/page/${script}.js`);

/** What the worker runs that encrypts frames. */
const frameWorkerScript = () => bundled(resolve(import.meta.dirname, '../../../web/sdk/e2ee/frameWorker.ts'));

const bundles = new Map<string, Promise<string>>();

/** Bundled once. */
function bundled(entry: string): Promise<string> {
  const known = bundles.get(entry) ?? bundle(entry);
  bundles.set(entry, known);
  return known;
}

async function bundle(entry: string): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      lib: { entry, formats: ['es'] },
      // What the product loads when it is needed is in the one file, too.
      rolldownOptions: { output: { codeSplitting: false } },
    },
  });
  const [output] = Array.isArray(built) ? built : [built];
  if (output === undefined || !('output' in output)) throw new Error('The page was not bundled.');
  return output.output[0].code;
}
