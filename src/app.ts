/**
 * The program put together: every `new` of a service stands here, in `src/app/` floor by floor, in the order in which
 * things need each other, and each says at once how it is closed. What is above gets what is below through its
 * constructor.
 */
import { emailKey } from './accounts/emailKey.ts';
import { openAccountLife } from './app/accountLife.ts';
import { openAccounts } from './app/accounts.ts';
import { openCalls } from './app/calls.ts';
import { openDoors } from './app/doors.ts';
import { openPeople } from './app/people.ts';
import { openStores } from './app/stores.ts';
import { type Config, httpUrl } from './config.ts';
import type { Log } from './log.ts';
import type { Metrics } from './platform/Metrics.ts';
import { seedDemoTown } from './seed/DemoTown.ts';

export class App {
  readonly url: string;
  readonly metrics: Metrics;
  readonly #closing: AsyncDisposableStack;
  readonly #drain: (deadlineMs: number) => Promise<void>;

  private constructor(
    url: string,
    metrics: Metrics,
    closing: AsyncDisposableStack,
    drain: (deadlineMs: number) => Promise<void>,
  ) {
    this.url = url;
    this.metrics = metrics;
    this.#closing = closing;
    this.#drain = drain;
  }

  /** Starts everything and listens. Throws when something cannot be had; what was started by then is closed. */
  static async start(config: Config, log: Log): Promise<App> {
    await using closing = new AsyncDisposableStack();
    const site = { url: config.publicUrl ?? httpUrl(config.host, config.port) };
    const stores = await openStores(config, log, closing);
    const accounts = await openAccounts(
      {
        ...stores,
        mail: config.mail,
        adminEmails: config.adminEmails,
        documents: config.documents,
        publicUrl: () => site.url,
      },
      closing,
    );
    const people = openPeople(config, stores, site, closing);
    if (config.seedDemo)
      await seedDemoTown({
        ...stores,
        ...people,
        hashPassword: accounts.passwords.hash.bind(accounts.passwords),
        emailKey,
      });
    const calls = await openCalls(config, stores, people, closing);
    const life = openAccountLife(config, stores, accounts, people, calls, closing);
    const app = await openDoors(config, stores, { ...accounts, ...life }, people, calls, site, closing);
    life.deadlines.start();
    return new App(site.url, stores.metrics, closing.move(), app.drain);
  }

  /** Takes no new calls and resolves when the running ones are over, or after `deadlineMs`. */
  drain(deadlineMs: number): Promise<void> {
    return this.#drain(deadlineMs);
  }

  async close(): Promise<void> {
    await this.#closing.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
