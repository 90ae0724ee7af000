/** Reports of one person about another, for the people who look after the place. */
import type { Clock } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { DuetError } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Blocks } from './Blocks.ts';
import { addReport, callBetween } from './safetySql.ts';
import type { ReportInput } from './shapes.ts';

export interface ReportsOptions {
  db: Database;
  clock: Clock;
  blocks: Blocks;
}

export class Reports {
  readonly #options: ReportsOptions;

  constructor(options: ReportsOptions) {
    this.#options = options;
  }

  /**
   * Files a report and, unless told otherwise, blocks the person: whatever is live between the two ends. NOT_FOUND
   * for who is not there, VALIDATION_FAILED for oneself or a call that was not between the two. One report an id.
   */
  async report(
    reporterId: string,
    reportedId: string,
    input: ReportInput,
    reportId = newId(),
  ): Promise<{ reportId: string }> {
    const { db, clock, blocks } = this.#options;
    await blocks.requireThere(reporterId, reportedId);
    const callId = input.callId ?? null;
    if (callId !== null) {
      const [call] = await db.query(callBetween, [callId, reporterId, reportedId]);
      if (call === undefined) {
        const message = 'is no call between the two of you';
        throw new DuetError('VALIDATION_FAILED', { details: [{ path: 'callId', message }] });
      }
    }
    await db.query(addReport, [
      reportId,
      reporterId,
      reportedId,
      input.reason,
      input.details,
      callId,
      new Date(clock.now()),
    ]);
    if (input.block) await blocks.blockNow(reporterId, reportedId);
    return { reportId };
  }
}
