/** Reports of one person about another, for the people who look after the place. */
import type { Clock } from '../clock.ts';
import { HOUR_MS } from '../days.ts';
import type { Database } from '../db/Database.ts';
import { DuetError } from '../errors.ts';
import { newId } from '../ids.ts';
import type { DataKeys } from '../platform/DataKeys.ts';
import type { Blocks } from './Blocks.ts';
import { addReport, callBetween, latestCall } from './safetySql.ts';
import type { ReportInput } from './shapes.ts';

export interface ReportsOptions {
  db: Database;
  clock: Clock;
  keys: DataKeys;
  blocks: Blocks;
  /** Told after each report about somebody. */
  onReport: (reportedId: string) => Promise<void>;
}

/** How long after its end a call is what a report without one is taken to be about. */
const LATEST_CALL_MS = HOUR_MS;

export class Reports {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /**
   * Files a report and, unless told otherwise, blocks the person: whatever is live between the two ends. NOT_FOUND
   * for who is not there, VALIDATION_FAILED for oneself or a call that was not between the two. Without a call it is
   * about the one that is on, or their last of the past hour. One report an id.
   */
  async report(
    reporterId: string,
    reportedId: string,
    input: ReportInput,
    reportId = newId(),
  ): Promise<{ reportId: string }> {
    const { db, clock, keys, blocks, onReport } = this.#options;
    await blocks.requireThere(reporterId, reportedId);
    const callId = await this.#callOf(reporterId, reportedId, input.callId);
    await db.query(addReport, [
      reportId,
      reporterId,
      reportedId,
      input.reason,
      input.details === '' ? '' : keys.seal('report', input.details),
      callId,
      new Date(clock.now()),
    ]);
    try {
      if (input.block) await blocks.blockNow(reporterId, reportedId);
    } finally {
      // It is filed: it counts, also where the block could not be made.
      await onReport(reportedId);
    }
    return { reportId };
  }

  async #callOf(reporterId: string, reportedId: string, named: string | undefined): Promise<string | null> {
    const { db, clock } = this.#options;
    if (named === undefined) {
      const since = new Date(clock.now() - LATEST_CALL_MS);
      const [latest] = await db.query(latestCall, [reporterId, reportedId, since]);
      return latest?.id ?? null;
    }
    const [call] = await db.query(callBetween, [named, reporterId, reportedId]);
    if (call !== undefined) return named;
    const message = 'is no call between the two of you';
    throw new DuetError('VALIDATION_FAILED', { details: [{ path: 'callId', message }] });
  }
}
