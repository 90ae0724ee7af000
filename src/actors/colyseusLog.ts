/**
 * What Colyseus has to say, through Duet's log: by itself it writes to the console as it pleases, addresses, texts of errors
 * and all. Of a sentence with more behind it only the sentence is told, of an error its name and where it happened.
 */
import { setLogger } from '@colyseus/core/Logger';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';

/** The same again is not told so soon: while Redis is away there is something to say ten times a second. */
const TELL_EVERY_MS = 60_000;
/** Sentences that are remembered. Nobody makes up new ones; should they all the same, those said first may be said again. */
const MAX_SENTENCES = 100;
const MAX_LENGTH = 80;
/** Where `@pm2/io` looks whether it is there already. */
const PM2 = Symbol.for('@pm2/io');

/** From now on Colyseus writes to `log`, in this process. Call before it is set up. */
export function logThrough(log: Log, clock: Clock): void {
  keepPm2Out();
  const toldAt = new Map<string, number>();
  const through =
    (level: 'debug' | 'warn' | 'error') =>
    (...said: unknown[]) => {
      const { sentence, at } = describe(said);
      const now = clock.now();
      if (now - (toldAt.get(sentence) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
      toldAt.delete(sentence);
      toldAt.set(sentence, now);
      if (toldAt.size > MAX_SENTENCES) toldAt.delete(toldAt.keys().next().value!);
      log[level](at.length > 0 ? { at } : {}, `Colyseus: ${sentence}`);
    };
  const quiet = through('debug');
  setLogger({ debug: quiet, trace: quiet, info: quiet, warn: through('warn'), error: through('error') });
}

/**
 * For two figures on the screen of pm2 Colyseus loads `@pm2/io`, which hooks itself into the process and prints, as they
 * are, all exceptions and rejections that nobody handled. What is there already it leaves alone.
 */
function keepPm2Out(): void {
  (globalThis as Record<symbol, unknown>)[PM2] ??= { metric: () => {} };
}

function describe(said: readonly unknown[]): { sentence: string; at: string[] } {
  const text = said[0] instanceof Error ? (said[0].stack ?? said[0].name) : String(said[0]);
  const lines = text.split('\n');
  // Where there is more, as in "RedisPresence: pub connection error:", the first is a sentence of Colyseus' own.
  const first = lines[0]!;
  const sentence = said.length > 1 ? first.replace(/:$/, '') : first.split(':')[0]!;
  const at = lines.filter((line) => line.startsWith('    at ')).map((line) => line.trim());
  return { sentence: sentence.slice(0, MAX_LENGTH), at };
}
