import { once } from 'node:events';
import { createServer } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { Jobs } from '../../../src/platform/Jobs.ts';
import { SmtpMailer } from '../../../src/platform/Mailer.ts';
import { type AccountsParts, CLIENT, openAccounts, registration, until } from '../../support/accounts.ts';
import { useDatabase } from '../../support/database.ts';

const base = useDatabase();
let parts: AccountsParts;
let server: SMTPServer | undefined;
let port = 0;
let received: { to: string[]; raw: string }[] = [];
/** What the server says to the next mails instead of taking them. */
let refusals: number[] = [];

async function startSmtp(): Promise<void> {
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk) => chunks.push(chunk));
      stream.on('end', () => {
        const responseCode = refusals.shift();
        if (responseCode !== undefined) return done(Object.assign(new Error('Not now'), { responseCode }));
        received.push({
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString(),
        });
        return done();
      });
    },
  });
  smtp.on('error', () => {});
  smtp.listen(port, '127.0.0.1');
  await once(smtp.server, 'listening');
  server = smtp;
}

async function stopSmtp(): Promise<void> {
  const smtp = server;
  server = undefined;
  if (smtp === undefined) return;
  const closed = new Promise<void>((resolve) => smtp.close(resolve));
  // Connections that wait for the next mail would be waited for.
  for (const connection of smtp.connections) (connection as { close(): void }).close();
  await closed;
}

beforeAll(async () => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  port = (probe.address() as { port: number }).port;
  probe.close();
  await startSmtp();
  const mailer = new SmtpMailer({ url: `smtp://127.0.0.1:${port}`, from: 'Duet <hello@duet.test>' });
  parts = await openAccounts({ db: base.db, url: base.url, mailer });
});
afterAll(async () => {
  await parts.close();
  await stopSmtp();
});
afterEach(() => {
  received = [];
  refusals = [];
});

const mailsTo = (email: string) => received.filter((mail) => mail.to.includes(email));
const drained = () =>
  until(async () => ((await parts.jobs.waiting('mail')) === 0 ? true : undefined), 'the queue');
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('mails over SMTP', () => {
  it('have a text and HTML, one recipient, and links to the public address only', async () => {
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    const mail = await until(() => mailsTo(body.email)[0]);
    expect(mail.to).toEqual([body.email]);
    const raw = mail.raw.replaceAll('=\r\n', '').replaceAll('=3D', '=');
    expect(raw).toContain('From: Duet <hello@duet.test>');
    expect(raw).toContain('Content-Type: text/plain');
    expect(raw).toContain('Content-Type: text/html');
    expect(raw).toMatch(/Message-ID: <[0-9a-f-]{36}@duet\.test>/);
    const links = raw.match(/https?:\/\/[^\s"<]+/g)!;
    expect(links.length).toBeGreaterThan(1);
    for (const link of links) expect(link).toMatch(/^https:\/\/duet\.test\/verify-email\?token=[\w-]{43}$/);
    expect(raw).not.toContain(body.displayName);
  });

  it('are sent once when the server is back, although it was down when they were asked for (FT-33)', async () => {
    await stopSmtp();
    const bodies = [registration(), registration(), registration()];
    for (const body of bodies) await parts.signUp.register(body, CLIENT);
    await pause(1_500);
    expect(received).toEqual([]);
    await startSmtp();
    for (const body of bodies) await until(() => mailsTo(body.email)[0], 'the mail after the outage');
    await drained();
    await pause(1_500);
    for (const body of bodies) expect(mailsTo(body.email)).toHaveLength(1);
  }, 30_000);

  it('survive a restart of the server in between', async () => {
    await stopSmtp();
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await parts.jobs.close();
    await startSmtp();
    const mailer = new SmtpMailer({ url: `smtp://127.0.0.1:${port}`, from: 'Duet <hello@duet.test>' });
    const again = await openAccounts({ db: base.db, url: base.url, mailer });
    await until(() => mailsTo(body.email)[0]);
    parts = again;
  }, 30_000);

  it('are tried again when the server refuses for now', async () => {
    refusals = [451, 421];
    const body = registration();
    await parts.signUp.register(body, CLIENT);
    await until(() => mailsTo(body.email)[0]);
    await drained();
    expect(mailsTo(body.email)).toHaveLength(1);
  }, 30_000);

  it('go to nobody else, whatever the address holds', async () => {
    const email = 'o\'"x"@example.org, second@example.org';
    await new SmtpMailer({ url: `smtp://127.0.0.1:${port}`, from: 'Duet <hello@duet.test>' })
      .send({ to: email, subject: 'A\r\nBcc: third@example.org', text: 'x', html: 'x', id: 'x' })
      .catch(() => undefined);
    for (const mail of received) {
      expect(mail.to).not.toContain('second@example.org');
      expect(mail.to).not.toContain('third@example.org');
      expect(mail.raw).not.toMatch(/^Bcc:/m);
    }
    expect(received.length).toBeLessThanOrEqual(1);
  });

  it('are not sent again because another one hangs', async () => {
    const jobs = new Jobs({ url: base.url, log: createLog('silent') });
    await jobs.start();
    await jobs.declare('slow', { retries: 5, retryDelaySec: 1, retryDelayMaxSec: 1, timeoutSec: 2 });
    await base.db.transaction(async (tx) => {
      for (let nth = 0; nth < 8; nth++) await jobs.add(tx, 'slow', { nth });
    });
    const tries = Array.from({ length: 8 }, () => 0);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    await jobs.serve<{ nth: number }>('slow', async ({ nth }) => {
      tries[nth]! += 1;
      if (nth === 0 && tries[nth] === 1) await released;
    });
    await until(async () => ((await jobs.waiting('slow')) === 0 ? true : undefined), 'the queue');
    release();
    await jobs.close();
    expect(tries).toEqual([2, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('that are under way when the server closes are still sent: the mailer goes last', async () => {
    const steps: string[] = [];
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const closing = await openAccounts({
      db: base.db,
      url: base.url,
      mailer: {
        send: async () => {
          steps.push('sending');
          await released;
          steps.push('sent');
        },
        close: async () => void steps.push('closed'),
      },
    });
    // The other server of this file may take the job first; then another one is added.
    while (steps.length === 0) {
      await closing.signUp.register(registration(), CLIENT);
      await new Promise((done) => setTimeout(done, 100));
    }
    const closed = closing.close();
    release();
    await closed;
    expect(steps.at(-1)).toBe('closed');
    expect(steps.filter((step) => step === 'sent').length).toBe(
      steps.filter((step) => step === 'sending').length,
    );
  });
});
