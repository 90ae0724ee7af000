import { randomUUID } from 'node:crypto';

let stampedMs = -1;
let stamp = '';

/**
 * An id for a request: UUIDv7 (RFC 9562 section 5.7). Unlike an entity's it need not sort within a millisecond, so it
 * is made of a random UUID, of which Node keeps a stock; that is a tenth of the price, and every request pays it.
 */
export function newRequestId(nowMs: number): string {
  if (nowMs !== stampedMs) {
    const time = nowMs.toString(16).padStart(12, '0');
    stamp = `${time.slice(0, 8)}-${time.slice(8)}-7`;
    stampedMs = nowMs;
  }
  return stamp + randomUUID().slice(15);
}
