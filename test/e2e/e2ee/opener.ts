import type { Page } from 'playwright-core';
import { decodeHeader, SFrameKey } from '../../../web/sdk/e2ee/sframe.ts';

/** What `page.js` overhears in the page. */
interface Overheard {
  overheard: number[][];
}

/** Opens tapped frames with what the page's keys are made of. */
export async function opener(page: Page) {
  const overheard = await page.evaluate(() => (globalThis as unknown as Overheard).overheard);
  const keys = new Map<bigint, SFrameKey[]>();
  return async (frame: Uint8Array<ArrayBuffer>, clear: number) => {
    const prefix = frame.slice(0, clear);
    const sealed = frame.slice(clear);
    const header = decodeHeader(sealed);
    if (!header) return undefined;
    if (!keys.has(header.kid)) {
      const derived = overheard.map(async (raw) => {
        const base = await crypto.subtle.importKey('raw', Uint8Array.from(raw), 'HKDF', false, [
          'deriveKey',
          'deriveBits',
        ]);
        return SFrameKey.derive(base, header.kid);
      });
      keys.set(header.kid, await Promise.all(derived));
    }
    for (const key of keys.get(header.kid)!) {
      const opened = await key.decrypt(header, sealed, prefix).catch(() => undefined);
      if (opened) return Uint8Array.from(Buffer.concat([prefix, opened]));
    }
    return undefined;
  };
}
