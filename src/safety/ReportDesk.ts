/** Reports as admins work on them. */
import type { Principal } from '../accounts/AccessTokens.ts';
import { type Audit, filtersOf } from '../accounts/Audit.ts';
import type { Client } from '../accounts/client.ts';
import { type Clock, isoTime } from '../clock.ts';
import type { Database } from '../db/Database.ts';
import { sql } from '../db/sql.ts';
import { DuetError } from '../errors.ts';
import { HIGHEST_ID } from '../ids.ts';
import type { DataKeys, StoredText } from '../platform/DataKeys.ts';
import { pageOf } from '../shapes.ts';
import { CALL_FACTS } from './callFacts.ts';
import type { Report, ReportHandling, ReportQuery } from './shapes.ts';

export interface ReportDeskOptions {
  db: Database;
  clock: Clock;
  audit: Audit;
  keys: DataKeys;
}

interface ReportRow {
  id: string;
  reporter_id: string;
  reported_id: string;
  reason: string;
  details: StoredText;
  call_id: string | null;
  call_facts: Record<string, unknown> | null;
  status: Report['status'];
  resolution: string | null;
  handled_by: string | null;
  handled_at: number | null;
  created_at: number;
}

/** The call's facts are kept in the report once the call is gone, and read from the call until then. */
const COLUMNS = `r.id, r.reporter_id, r.reported_id, r.reason, r.details, r.call_id, r.status, r.resolution, r.handled_by,
  r.handled_at, r.created_at, coalesce(r.call_facts, (
    select ${CALL_FACTS} from calls c where c.id = r.call_id)) as call_facts`;

const listReports = sql<ReportRow>(
  'report-list',
  `select ${COLUMNS} from reports r where r.id < $2 and ($3::text is null or r.status = $3) order by r.id desc limit $1`,
);
const lockReport = sql<Pick<ReportRow, 'status' | 'resolution' | 'handled_by'>>(
  'report-lock',
  'select status, resolution, handled_by from reports where id = $1 for update',
);
const handleReport = sql(
  'report-handle',
  'update reports set status = $2, resolution = coalesce($3, resolution), handled_by = $4, handled_at = $5 where id = $1',
);
const findReport = sql<ReportRow>('report-find', `select ${COLUMNS} from reports r where r.id = $1`);

export class ReportDesk {
  readonly #o: ReportDeskOptions;

  constructor(options: ReportDeskOptions) {
    this.#o = options;
  }

  /** Reports, the newest first. That an admin looked is kept in the security log. */
  async list(
    actor: Principal,
    { limit, cursor, status }: ReportQuery,
    client: Client,
  ): Promise<{ items: Report[]; nextCursor: string | null }> {
    const { userId: actorId, sessionId } = actor;
    const details = filtersOf({ status }, cursor);
    await this.#o.audit.record(this.#o.db, { action: 'reports_listed', actorId, sessionId, client, details });
    const rows = await this.#o.db.query(listReports, [limit + 1, cursor ?? HIGHEST_ID, status ?? null]);
    return pageOf(rows, limit, (row) => present(row, this.#o.keys));
  }

  /**
   * Notes what is done about a report; what is to happen to the person is a change of status of its own. NOT_FOUND;
   * CONFLICT when it has another status than the admin says, or was closed by another admin meanwhile: that one's word
   * is not written over, but it can be looked at again ("reviewing").
   */
  async handle(
    actor: Principal,
    reportId: string,
    handling: ReportHandling,
    client: Client,
  ): Promise<Report> {
    const { db, clock, audit } = this.#o;
    return db.transaction(async (tx) => {
      const [before] = await tx.query(lockReport, [reportId]);
      if (before === undefined) throw new DuetError('NOT_FOUND');
      const { status, resolution, ifStatus = before.status } = handling;
      const isClosed = before.status === 'resolved' || before.status === 'dismissed';
      const isOthers = isClosed && before.handled_by !== actor.userId && handling.ifStatus === undefined;
      if (ifStatus !== before.status || (isOthers && status !== 'reviewing')) throw new DuetError('CONFLICT');
      const now = new Date(clock.now());
      await tx.query(handleReport, [reportId, status, resolution ?? null, actor.userId, now]);
      const [row] = await tx.query(findReport, [reportId]);
      await audit.record(tx, {
        action: 'report_handled',
        userId: row!.reported_id,
        actorId: actor.userId,
        sessionId: actor.sessionId,
        client,
        details: {
          reportId,
          before: before.status,
          after: status,
          ...(row!.resolution !== null && { resolution: row!.resolution }),
          ...(before.resolution !== null && { resolutionBefore: before.resolution }),
        },
      });
      return present(row!, this.#o.keys);
    });
  }
}

function present(row: ReportRow, keys: DataKeys): Report {
  return {
    id: row.id,
    reporterId: row.reporter_id,
    reportedId: row.reported_id,
    reason: row.reason,
    details: keys.open(row.details),
    callId: row.call_id,
    call: row.call_facts,
    status: row.status,
    resolution: row.resolution,
    handledBy: row.handled_by,
    handledAt: isoTime(row.handled_at),
    createdAt: isoTime(row.created_at)!,
  };
}
