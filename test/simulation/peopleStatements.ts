/** What the statements of accounts that leave, of sessions that end and of shared clocks do, as `statements.ts`. */
import type { StatementModel, UserRow } from './tables.ts';
import { rowsOf, timeOf } from './tables.ts';

export const PEOPLE_STATEMENTS: Readonly<Record<string, StatementModel>> = {
  'life-lock': ({ tables }, [id]) =>
    rowsOf(tables.users.get(id as string)).map((user) => ({ ...user, email: '', role: 'user' })),
  'life-mark-deleted': ({ tables, write }, [id, eraseAt, settleAt]) => {
    const times = { erase_at: timeOf(eraseAt), settle_at: timeOf(settleAt) };
    for (const user of rowsOf(tables.users.get(id as string)))
      write.set(tables.users, user.id, { ...user, ...times, status: 'deleted' });
    return [];
  },
  'life-forget-subscriptions': () => [],
  'life-keep-call-facts': () => [],
  'life-hold-whole': () => [],
  'life-hold-pairs': () => [],
  'life-what-is-due': ({ tables }, [now]) => {
    const until = timeOf(now)!;
    const users = [...tables.users.values()];
    return [
      {
        lift: false,
        settle: users.some((user) => isBy(user.settle_at, until)),
        erase: users.some((user) => isBy(user.erase_at, until)),
      },
    ];
  },
  'life-settle-due': ({ tables }, [now, leftOut]) => due(tables.users, 'settle_at', timeOf(now)!, leftOut),
  'life-settled': ({ tables, write }, [id, until]) => {
    const user = tables.users.get(id as string);
    if (user !== undefined && isBy(user.settle_at, timeOf(until)!))
      write.set(tables.users, user.id, { ...user, settle_at: null });
    return [];
  },
  'life-erase-due': ({ tables }, [now, leftOut]) =>
    due(tables.users, 'erase_at', timeOf(now)!, leftOut).filter(
      (user) => user.settle_at === null && !tables.liveCalls.has(user.id),
    ),
  // With all that refers to them. The journal's lines stay in the memory: nobody asks for those of a call that is gone.
  'life-erase': ({ tables, write }, [userId]) => {
    const id = userId as string;
    write.delete(tables.users, id);
    write.add(tables.erased, id);
    for (const match of tables.matches.values()) {
      if (match.low_id === id || match.high_id === id) write.delete(tables.matches, match.id);
    }
    for (const call of tables.calls.values()) {
      if (call.caller_id === id || call.callee_id === id) write.delete(tables.calls, call.id);
    }
    for (const [holder, callId] of tables.liveCalls) {
      if (holder === id || !tables.calls.has(callId)) write.delete(tables.liveCalls, holder);
    }
    write.delete(tables.inboxes, id);
    write.delete(tables.outbox, id);
    return [];
  },
  /** A session that ends has the id of its person. */
  'simulated-revoke': ({ tables, write }, [id, at]) => {
    for (const user of rowsOf(tables.users.get(id as string)))
      write.set(tables.users, user.id, { ...user, revoked_at: timeOf(at) });
    return [];
  },
  'revocations-recent': ({ tables }, [since]) =>
    [...tables.users.values()]
      .filter(({ revoked_at: at }) => at !== null && at > timeOf(since)!)
      .map(({ id }) => ({ id, user_id: id })),
  'read-epoch-ms': ({ now }) => [{ epoch_ms: now }],
  'read-shared-epoch-ms': ({ tables, now }) => {
    const said = [...tables.saidClocks.values()].sort((one, other) => one - other);
    const timesOf = (ahead: number) => said.filter((one) => one === ahead).length;
    const most = Math.max(...said.map(timesOf));
    return [{ epoch_ms: now, ahead: said.find((ahead) => timesOf(ahead) === most) ?? null }];
  },
};

function due(
  users: ReadonlyMap<string, UserRow>,
  what: 'settle_at' | 'erase_at',
  until: number,
  leftOut: unknown,
): UserRow[] {
  return [...users.values()]
    .filter((user) => isBy(user[what], until) && !(leftOut as string[]).includes(user.id))
    .sort((one, other) => one[what]! - other[what]!);
}

function isBy(at: number | null, until: number): boolean {
  return at !== null && at <= until;
}
