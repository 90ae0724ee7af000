/**
 * SQL: what call `c` was, for report `r`. Read from the call while there is one, and kept in the report when the call
 * goes (`src/accounts/lifeStatements.ts`).
 */
export const CALL_FACTS = `jsonb_build_object('phase', c.phase, 'outcome', c.outcome, 'media', c.state->'media',
     'createdAt', c.created_at, 'startedAt', to_timestamp((c.state->>'startedAt')::double precision / 1000),
     'endedAt', c.ended_at, 'byReporter', c.caller_id = r.reporter_id)`;
