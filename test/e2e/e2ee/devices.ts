/** People in real Chromium: their devices, their calls, and what they hear and see. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { useApp } from '../../support/app.ts';
import { openBrowser, SMALL_AND_STILL } from '../../support/browser.ts';
import type { Person } from '../../support/client.ts';
import { TEST_PASSWORD } from '../../support/signedIn.ts';

/** What the page lays open of its present call (`web/page/duet.ts`). */
interface OpenCall {
  id: string;
  stats(): Promise<{
    audio: { packetsReceived: number; samplesReceived: number; samplesConcealed: number; energy: number };
    video: { framesDecoded: number };
  }>;
  snapshot: { phase: string; people: Record<string, { e2ee: string }> };
  encryption: { snapshot: { state: string; reason: string | null; sends: string; words: string[] } };
  request(type: string, payload: object): Promise<unknown>;
}
declare const duet: {
  call: OpenCall | null;
  sdk: { auth: { login(...args: string[]): Promise<unknown> } };
};

/** A server and a browser for the file that calls this. */
export function useDevices() {
  const app = useApp({ CALL_DURATION_SEC: '300' });
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
  });

  /** A device of a person's: a browser profile of its own, in which the HKDF keys that the page makes are overheard. */
  async function device(
    person: Person,
    prepare?: (context: BrowserContext) => Promise<unknown>,
  ): Promise<Page> {
    const context = await browser.newContext(SMALL_AND_STILL);
    await context.addInitScript({ path: `${import.meta.dirname}/page.js` });
    await prepare?.(context);
    const page = await context.newPage();
    await page.goto(app.url);
    await page.waitForFunction(() => 'duet' in globalThis);
    await page.evaluate(
      ([email, password]) => duet.sdk.auth.login(email!, password!),
      [person.email, TEST_PASSWORD],
    );
    await page.getByTestId('nav-matches').waitFor();
    return page;
  }

  return {
    get url() {
      return app.url;
    },
    get dbUrl() {
      return app.dbUrl;
    },
    device,
  };
}

export async function call(from: Page, to: Page, matchId: string): Promise<void> {
  await from.getByTestId('nav-matches').click();
  await from.locator(`[data-match-id="${matchId}"]`).getByTestId('match-call').click();
  await to.getByTestId('incoming-answer').click();
}

export async function hangUp(page: Page, other: Page): Promise<void> {
  await page.getByTestId('call-hangup').click();
  for (const one of [page, other]) await one.getByTestId('call-ended-close').click();
}

/** Waits for what a page shows. Long: video on a busy machine is slow. */
export const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 60_000, interval: 250 });

export const encryption = (page: Page) =>
  page.evaluate(() => {
    const now = duet.call?.encryption.snapshot;
    return now && { state: now.state, reason: now.reason, sends: now.sends, words: now.words };
  });
export const stats = (page: Page) => page.evaluate(() => duet.call!.stats());
export const stateOf = (page: Page) => async () => (await encryption(page))?.state;
/** What a page is told that the other's client does. */
export const claimOf = (page: Page, person: Person) =>
  page.evaluate((id) => duet.call?.snapshot.people[id]?.e2ee, person.id);

/** Everybody hears: what is played is sound of the other's, not made up. */
export async function hear(...pages: Page[]): Promise<void> {
  await Promise.all(pages.map(hearsOne));
}

async function hearsOne(page: Page): Promise<void> {
  await eventually(async () => (await stats(page)).audio.samplesReceived).toBeGreaterThan(0);
  const before = (await stats(page)).audio;
  await eventually(
    async () => (await stats(page)).audio.samplesReceived - before.samplesReceived,
  ).toBeGreaterThan(48_000);
  const after = (await stats(page)).audio;
  const played = after.samplesReceived - before.samplesReceived;
  expect(after.samplesConcealed - before.samplesConcealed).toBeLessThan(played / 2);
  await eventually(async () => (await stats(page)).audio.energy).toBeGreaterThan(0);
}

/** Everybody sees the other: pictures go on being decoded. */
export async function see(...pages: Page[]): Promise<void> {
  await Promise.all(
    pages.map(async (page) => {
      const before = (await stats(page)).video.framesDecoded;
      await eventually(async () => (await stats(page)).video.framesDecoded - before).toBeGreaterThan(5);
    }),
  );
}
