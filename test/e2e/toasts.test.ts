/** What the page says in passing lies over nothing that one would press in a call, on whatever screen. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { newMatch } from '../support/signedIn.ts';
import { call, encryption, eventually, useDevices } from './e2ee/devices.ts';

/** What of the DOM is used in the page. */
interface Box {
  closest(selector: string): Box | null;
  getBoundingClientRect(): { x: number; y: number; width: number; height: number };
  textContent: string;
}
declare const document: {
  querySelectorAll(selector: string): Iterable<Box>;
  elementFromPoint(x: number, y: number): Box | null;
};

const devices = useDevices();

/** However long it takes to look at them all: what is said stays. */
const keepToasts = (page: Page) =>
  page.evaluate(() => {
    const scope = globalThis as { setTimeout: unknown };
    const { setTimeout } = globalThis;
    scope.setTimeout = (run: () => void, ms?: number) => (ms === 5_000 ? 0 : setTimeout(run, ms));
  });

/** The buttons of the call whose middle belongs to a toast. */
const covered = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('.call button')]
      .filter((button) => {
        const { x, y, width, height } = button.getBoundingClientRect();
        return document.elementFromPoint(x + width / 2, y + height / 2)?.closest('.toasts');
      })
      .map((button) => button.textContent),
  );

test('toasts cover no button of a call', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  await call(atAnn, atBob, matchId);
  await eventually(() => encryption(atAnn)).toMatchObject({ state: 'on' });
  await keepToasts(atAnn);
  await atAnn.getByTestId('call-extend').click();
  await atBob.getByTestId('call-extend-yes').click();
  for (const [width, height] of [
    [360, 640],
    [768, 1024],
    [900, 700],
    [1400, 900],
    [740, 360],
  ] as const) {
    await atAnn.setViewportSize({ width, height });
    await atAnn.getByTestId('toast').first().waitFor();
    expect([width, ...(await covered(atAnn))]).toEqual([width]);
  }
});
