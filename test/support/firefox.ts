import { type Browser, launch } from 'puppeteer-core';

/**
 * The real Firefox, without a window, over WebDriver BiDi; with a microphone and a camera that play a test tone and
 * picture, as in `browser.ts`. ICE towards the loopback address needs a preference here, too, and besides a permission:
 * without one Firefox offers the addresses of the default route only.
 */
export function openFirefox(): Promise<Browser> {
  return launch({
    browser: 'firefox',
    executablePath: process.env.DUET_FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    // On a busy machine it takes its time.
    timeout: 120_000,
    protocolTimeout: 120_000,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.peerconnection.ice.loopback': true,
      'media.autoplay.default': 0,
      'permissions.default.microphone': 1,
      'permissions.default.camera': 1,
      // An answer in JSON stays a page of the server's origin.
      'devtools.jsonview.enabled': false,
    },
  });
}
