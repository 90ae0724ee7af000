/** Who is suspended because people complain, and how many accounts of one person it takes: none are enough. */
import { beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../../src/ids.ts';
import { until } from '../../support/accounts.ts';
import { useApp } from '../../support/app.ts';
import { Inbox, type Person, request } from '../../support/client.ts';
import { eventually } from '../../support/eventually.ts';
import { deleteAccount } from '../../support/life.ts';
import { onServer } from '../../support/postgresServer.ts';
import {
  match,
  newMatch,
  newPeople,
  newPerson,
  registerPerson,
  TEST_PASSWORD,
} from '../../support/signedIn.ts';

const BOSS = 'boss@example.org';
const app = useApp({ ADMIN_EMAILS: BOSS, REPORTS_TO_SUSPEND: '3' });
let boss: Person;
let networks = 0;

beforeAll(async () => {
  boss = await registerPerson(app.url, { email: BOSS });
});

interface Kind {
  device?: string;
  network?: string;
  ageHours?: number;
}

/** People who have been here for a while, each with a device and a network of their own unless told otherwise. */
async function people(count: number, kind: Kind = {}): Promise<Person[]> {
  const made = await newPeople(app, count);
  for (const { id } of made) await settleIn(id, kind);
  return made;
}

async function settleIn(id: string, { device = newId(), network, ageHours = 72 }: Kind = {}): Promise<void> {
  networks += 1;
  const address = network ?? `10.${networks >> 8}.${networks & 255}.0/24`;
  await onServer(
    app.dbUrl,
    `update users set created_at = now() - interval '${ageHours} hours' where id = '${id}';
     update sessions set device_id = '${device}', address = '${address}' where user_id = '${id}'`,
  );
}

async function report(reporters: Person[], userId: string): Promise<string[]> {
  const ids = [];
  for (const reporter of reporters)
    ids.push((await reporter.ok('POST', `/users/report/${userId}`, { reason: 'spam' })).reportId);
  return ids;
}

const account = (userId: string) => boss.ok('GET', `/admin/users/${userId}`);
const statusOf = async (userId: string) => (await account(userId)).status;

describe('reports', () => {
  it('of enough people with nothing in common suspend at once, by the system and until an admin has looked', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const atAnn = new Inbox(await ann.sit(seat));
    const toBob = await bob.inbox();
    const [one, two, three, four] = await people(4);
    await report([one!, two!, two!], ann.id);
    expect(await statusOf(ann.id)).toBe('active');
    await report([three!], ann.id);
    expect(await account(ann.id)).toMatchObject({
      status: 'suspended',
      statusReason: 'reported by 3 independent people',
      statusUntil: null,
      reports: 3,
    });
    expect((await ann.call('GET', '/users/me')).status).toBe(401);
    expect(await toBob.next('call:ended')).toMatchObject({ outcome: 'unavailable' });
    await eventually(() => atAnn.room.connection.isOpen).toBe(false);
    const log = await boss.ok('GET', `/admin/audit?userId=${ann.id}&action=status_changed`);
    expect(log.items).toMatchObject([{ actorId: null, details: { before: 'active', after: 'suspended' } }]);
    // Let back in by an admin, who has seen those: one more is not three.
    await boss.ok('PATCH', `/admin/users/${ann.id}/status`, { status: 'active', reason: 'a campaign' });
    await report([four!], ann.id);
    expect(await statusOf(ann.id)).toBe('active');
  });

  it('of ten accounts of one device, or of one network, are one', async () => {
    const [ann] = await people(1);
    await report(await people(10, { device: newId() }), ann!.id);
    await report(await people(10, { network: '192.0.2.0/24' }), ann!.id);
    expect(await account(ann!.id)).toMatchObject({ status: 'active', reports: 20 });
    await report(await people(1), ann!.id);
    expect(await statusOf(ann!.id)).toBe('suspended');
  });

  it('of accounts made for it, of banned people and dismissed ones do not count', async () => {
    const [ann] = await people(1);
    await report(await people(4, { ageHours: 23 }), ann!.id);
    const [villain, crank, honest, other] = await people(4);
    await report([villain!], ann!.id);
    await boss.ok('PATCH', `/admin/users/${villain!.id}/status`, { status: 'banned', reason: 'x' });
    const [dismissed] = await report([crank!], ann!.id);
    await boss.ok('PATCH', `/admin/reports/${dismissed}`, { status: 'dismissed' });
    await report([honest!, other!], ann!.id);
    expect(await statusOf(ann!.id)).toBe('active');
    await onServer(
      app.dbUrl,
      `update reports set created_at = now() - interval '31 days' where reporter_id = '${honest!.id}'`,
    );
    await report(await people(1), ann!.id);
    expect(await statusOf(ann!.id)).toBe('active');
    await report(await people(1), ann!.id);
    expect(await statusOf(ann!.id)).toBe('suspended');
  });

  it('about who deleted the account meanwhile suspend when it is had back', async () => {
    for (const [complaints, status, code] of [
      [2, 'active', undefined],
      [3, 'suspended', 'ACCOUNT_SUSPENDED'],
    ] as const) {
      const [ann, ...matches] = await people(4);
      for (const other of matches) await match(ann!, other);
      expect((await deleteAccount(ann!)).status).toBe(202);
      await report(matches.slice(0, complaints), ann!.id);
      expect(await statusOf(ann!.id)).toBe('deleted');
      const login = () =>
        request(app.url, 'POST', '/api/v1/auth/login', {
          body: { email: ann!.email, password: TEST_PASSWORD },
        });
      expect((await login()).body.code).toBe(code);
      expect(await statusOf(ann!.id)).toBe(status);
      // Nothing of that sign-in is left, and the next one hears the same.
      expect((await login()).body.code).toBe(code);
      const { rowCount } = await onServer(
        app.dbUrl,
        `select from sessions where user_id = '${ann!.id}' and revoked_at is null`,
      );
      expect(rowCount, status).toBe(status === 'active' ? 2 : 0);
    }
  });

  it('about whoever had the address before its owner do not count against him', async () => {
    const email = 'taken.over@example.org';
    const post = (path: string, body: object) => request(app.url, 'POST', `/api/v1/auth/${path}`, { body });
    const born = { displayName: 'Somebody', birthDate: '1990-05-17', gender: 'man' };
    await post('register', { email, password: TEST_PASSWORD, ...born });
    const { id } = (await post('login', { email, password: TEST_PASSWORD })).body.user;
    const [last, ...before] = await people(4);
    await report(before, id);
    expect(await statusOf(id)).toBe('suspended');
    await post('forgot-password', { email });
    const token = await until(async () => {
      const { body } = await request(app.url, 'GET', `/dev/mailbox?to=${encodeURIComponent(email)}`);
      const mail = body.items.find((item: { subject: string }) => /new password/.test(item.subject));
      return /\?token=([\w-]+)/.exec(mail?.text ?? '')?.[1];
    });
    expect((await post('reset-password', { token, password: 'a password of the owner' })).status).toBe(204);
    expect(await statusOf(id)).toBe('active');
    await report([last!], id);
    expect(await statusOf(id)).toBe('active');
  });

  it('do nothing to an admin', async () => {
    await report(await people(4), boss.id);
    expect(await boss.ok('GET', '/users/me')).toMatchObject({ role: 'admin' });
  });
});

describe('a report without a call', () => {
  const reportOf = async (reporterId: string) => {
    const { items } = await boss.ok('GET', '/admin/reports');
    return items.find((item: { reporterId: string }) => item.reporterId === reporterId);
  };

  it('is about the call that is on, and tells what it was', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    await bob.ok('POST', `/calls/${call.id}/answer`, {});
    await bob.ok('POST', `/users/report/${ann.id}`, { reason: 'nudity', block: false });
    expect(await reportOf(bob.id)).toMatchObject({
      callId: call.id,
      call: { phase: 'connecting', media: 'audio', byReporter: false, startedAt: null },
    });
    await ann.ok('POST', `/users/report/${bob.id}`, { reason: 'rude' });
    expect(await reportOf(ann.id)).toMatchObject({
      callId: call.id,
      call: { phase: 'ended', media: 'audio', byReporter: true },
    });
  });

  it('is about the last of the past hour, and about none before that or with somebody else', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const stranger = await newPerson(app);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    await ann.ok('POST', `/calls/${call.id}/end`);
    await ann.ok('POST', `/users/report/${stranger.id}`, { reason: 'spam' });
    expect((await reportOf(ann.id)).callId).toBeNull();
    await bob.ok('POST', `/users/report/${ann.id}`, { reason: 'spam', block: false });
    expect((await reportOf(bob.id)).callId).toBe(call.id);
    await onServer(
      app.dbUrl,
      `update calls set ended_at = now() - interval '61 minutes' where id = '${call.id}'`,
    );
    await ann.ok('POST', `/users/report/${bob.id}`, { reason: 'spam' });
    expect((await reportOf(ann.id)).callId).toBeNull();
  });
});
