import { type Browser, type BrowserContextOptions, chromium } from 'playwright-core';

/** A person's context on a small machine: the page in a phone's size and without animations is drawn in a fraction of the time. */
export const SMALL_AND_STILL: BrowserContextOptions = {
  permissions: ['microphone', 'camera'],
  viewport: { width: 390, height: 700 },
  reducedMotion: 'reduce',
};

/**
 * The real Chromium with a microphone and a camera that play a test tone and picture. ICE towards the loopback
 * address needs `--allow-loopback-in-peer-connection`. `flags`: more of them.
 */
export function openBrowser(flags: string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.DUET_CHROMIUM ?? '/usr/bin/chromium-headless-shell',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Pictures cost most of a small machine's time: few of them do.
      '--use-fake-device-for-media-stream=fps=10',
      '--use-fake-ui-for-media-stream',
      '--allow-loopback-in-peer-connection',
      '--autoplay-policy=no-user-gesture-required',
      ...flags,
    ],
  });
}
