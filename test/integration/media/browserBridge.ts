import { createServer, type Server } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build } from 'vite';
import { DuetError } from '../../../src/errors.ts';
import { answerMedia } from '../../../src/media/answerMedia.ts';
import type { CallMedia } from '../../../src/media/CallMedia.ts';
import { MEDIA_MESSAGES, type MediaMessageType } from '../../../src/media/messages.ts';
import { openBrowser } from '../../support/browser.ts';

/** What the page offers (`page/page.js`). */
type DuetPage = {
  ask(type: string, payload?: unknown): Promise<unknown>;
  join(): Promise<void>;
  produce(kind: 'audio' | 'video', wish?: object): Promise<string>;
  consume(producerId: string): Promise<string>;
  received(kind: 'audio' | 'video'): Promise<{ bytes: number; frames: number; cipher: string }>;
  warm(): Promise<string>;
  restartIce(): Promise<void>;
  leave(): void;
};

/** Chromium, and a page for each person whose messages go to whatever call is set. */
export class BrowserBridge {
  call: CallMedia | null = null;
  readonly #server: Server;
  readonly #browser: Browser;
  readonly #contexts: BrowserContext[] = [];

  static async start(): Promise<BrowserBridge> {
    const [script, browser] = await Promise.all([bundle(), openBrowser()]);
    const bridge = new BrowserBridge(browser, script);
    await new Promise<void>((resolve) => bridge.#server.listen(0, '127.0.0.1', resolve));
    return bridge;
  }

  constructor(browser: Browser, script: string) {
    this.#browser = browser;
    this.#server = createServer(async (request, response) => {
      const url = new URL(request.url ?? '/', 'http://bridge');
      if (url.pathname !== '/ask') {
        response.setHeader('content-type', 'text/html');
        response.end(`<!doctype html><body><script type="module">${script}</script>`);
        return;
      }
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const user = url.searchParams.get('user') ?? '';
      const type = url.searchParams.get('type') as MediaMessageType;
      response.end(
        JSON.stringify(await this.#answer(user, type, JSON.parse(Buffer.concat(chunks).toString()))),
      );
    });
  }

  /** A page of its own browser context: nothing shared with the other person. */
  async page(user: string): Promise<Page> {
    const context = await this.#browser.newContext({ permissions: ['microphone', 'camera'] });
    this.#contexts.push(context);
    const page = await context.newPage();
    const { port } = this.#server.address() as { port: number };
    await page.goto(`http://127.0.0.1:${port}/?user=${user}`);
    return page;
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(user: string, type: MediaMessageType, given: unknown): Promise<object> {
    try {
      const parsed = MEDIA_MESSAGES[type].safeParse(given);
      if (!parsed.success) return { code: 'VALIDATION_FAILED', message: parsed.error.message };
      return (await answerMedia(this.call!, user, type, parsed.data)) ?? {};
    } catch (error) {
      return { code: error instanceof DuetError ? error.code : String(error) };
    }
  }
}

/** Calls a function of the page. */
export function inPage<T extends keyof DuetPage>(
  page: Page,
  name: T,
  ...args: Parameters<DuetPage[T]>
): Promise<Awaited<ReturnType<DuetPage[T]>>> {
  return page.evaluate(
    ([name, args]) =>
      (globalThis as unknown as { duet: Record<string, (...a: unknown[]) => unknown> }).duet[name]!(...args),
    [name, args] as [string, unknown[]],
  ) as Promise<Awaited<ReturnType<DuetPage[T]>>>;
}

async function bundle(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      lib: { entry: `${import.meta.dirname}/page/page.js`, formats: ['es'] },
    },
  });
  const [output] = Array.isArray(built) ? built : [built];
  if (output === undefined || !('output' in output)) throw new Error('The page was not bundled.');
  return output.output[0].code.replaceAll('</script', '<\\/script');
}
