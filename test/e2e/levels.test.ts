/** How loud a voice is shown to be: Chromium's microphone beeps, and is silent in between. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { newMatch } from '../support/signedIn.ts';
import { call, eventually, useDevices } from './e2ee/devices.ts';

const devices = useDevices();

const THEIRS = '.call-stage';
const OWN = '.glow-you';
const IN_DEVICE_MENU = '.meter';
const FRAMES = 40;

interface Drawn {
  style: { getPropertyValue(name: string): string };
}

/** The levels that some frames show. */
const shown = (page: Page, where: string) =>
  page.evaluate(
    async ([selector, frames]) => {
      const { document, requestAnimationFrame } = globalThis as unknown as {
        document: { querySelector(selector: string): Drawn };
        requestAnimationFrame(draw: () => void): void;
      };
      const levels: number[] = [];
      while (levels.length < frames) {
        await new Promise<void>((drawn) => requestAnimationFrame(drawn));
        levels.push(Number(document.querySelector(selector).style.getPropertyValue('--level')));
      }
      return levels;
    },
    [where, FRAMES] as const,
  );
const loudest = async (page: Page, where: string) => Math.max(...(await shown(page, where)));
const softest = async (page: Page, where: string) => Math.min(...(await shown(page, where)));

test('a voice moves what is shown of it, on both sides, and silence does not', async () => {
  const { ann, bob, matchId } = await newMatch(devices);
  const [atAnn, atBob] = await Promise.all([devices.device(ann), devices.device(bob)]);
  // Who wants no motion is shown none of it but in the menu of devices.
  for (const page of [atAnn, atBob]) await page.emulateMedia({ reducedMotion: 'no-preference' });
  await call(atAnn, atBob, matchId);
  // One at a time: both microphones beep at once, and who hears the other's would take the own one for its echo.
  await atAnn.getByTestId('call-mute').click();
  for (const [page, where] of [
    [atAnn, THEIRS],
    [atBob, OWN],
  ] as const) {
    await eventually(() => loudest(page, where)).toBeGreaterThan(0.3);
    await eventually(() => softest(page, where)).toBeLessThan(0.2);
  }

  await atBob.getByTestId('call-mute').click();
  await eventually(() => loudest(atAnn, THEIRS)).toBe(0);
  expect(await loudest(atBob, OWN)).toBe(0);
  await atAnn.getByTestId('call-mute').click();
  await eventually(() => loudest(atAnn, OWN)).toBeGreaterThan(0.3);

  await atAnn.getByTestId('call-devices').click();
  await eventually(() => loudest(atAnn, IN_DEVICE_MENU)).toBeGreaterThan(0.3);
});
