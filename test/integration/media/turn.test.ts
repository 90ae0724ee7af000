import { readFile, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IceServer, turnCredentials } from '../../../src/calling/turn.ts';
import { useApp } from '../../support/app.ts';
import { Coturn, freeUdpPort } from '../../support/coturn.ts';
import { newMatch, newPerson } from '../../support/signedIn.ts';
import { selfSigned, trustFlag } from '../../support/tlsCertificate.ts';
import { TurnClient } from '../../support/turnClient.ts';
import { CallPages } from './callPages.ts';

const SECRET = 'a secret that only the server and coturn know';
const PORT = await freeUdpPort();
const TLS_PORT = await freeUdpPort();
const app = useApp({
  TURN_SECRET: SECRET,
  TURN_URLS: `turn:127.0.0.1:${PORT}?transport=udp,turns:127.0.0.1:${TLS_PORT}?transport=tcp`,
  CALL_DURATION_SEC: '60',
});
/** RFC 8656 section 19. */
const ALLOCATION_QUOTA_REACHED = 486;
/** As the sample says; and one that may relay to the SFU of this test, which is on loopback. */
let strict: Coturn;
let coturn: Coturn;
const tls = selfSigned();

beforeAll(async () => {
  [strict, coturn] = await Promise.all([
    Coturn.start(await freeUdpPort(), SECRET),
    Coturn.start(PORT, SECRET, ['127.0.0.1'], { port: TLS_PORT, ...tls }),
  ]);
});
afterAll(async () => {
  await Promise.all([strict?.stop(), coturn?.stop()]);
  await rm(tls.folder, { recursive: true, force: true });
});

const allocate = async ({ port }: Coturn, { username, credential }: IceServer) => {
  const client = await TurnClient.connect(port, username, credential);
  try {
    return await client.allocate();
  } finally {
    client.close();
  }
};

const expiring = (inSec: number, holder = 'a call of hers') =>
  turnCredentials(SECRET, [], Math.floor(Date.now() / 1000) + inSec, holder);

describe('TURN credentials', () => {
  it('of a call’s people work at a real coturn, and end with the call', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    for (const person of [ann, bob]) {
      const { iceServers, ttlSec } = await person.ok('GET', '/calls/ice-servers');
      expect(iceServers).toHaveLength(1);
      expect(await allocate(strict, iceServers[0])).toBe(0);
      // Ringing, the call’s length and a margin, never more; and nothing of the person in the user name.
      expect(ttlSec).toBeLessThanOrEqual(30 + 60 + 30);
      expect(Number(iceServers[0].username.split(':')[0])).toBeLessThanOrEqual(
        Date.now() / 1000 + ttlSec + 1,
      );
      expect(iceServers[0].username).not.toContain(person.id);
      const word = ({ username }: IceServer) => username.split(':')[1];
      const [again] = (await person.ok('GET', '/calls/ice-servers')).iceServers;
      expect(word(again)).toBe(word(iceServers[0]));
    }
  });

  it('are refused to everybody else, and after the end', async () => {
    const { ann, bob, matchId } = await newMatch(app);
    const eve = await newPerson(app);
    const { call } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    expect((await eve.call('GET', '/calls/ice-servers')).body.code).toBe('CALL_NOT_ACTIVE');
    await bob.ok('POST', `/calls/${call.id}/reject`);
    expect((await ann.call('GET', '/calls/ice-servers')).body.code).toBe('CALL_NOT_ACTIVE');
  });

  it('expire, and cannot be made up', async () => {
    expect(await allocate(strict, expiring(60))).toBe(0);
    expect(await allocate(strict, expiring(-2))).toBe(401);
    const short = expiring(2);
    expect(await allocate(strict, short)).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 3_100));
    expect(await allocate(strict, short)).toBe(401);
    const good = expiring(60);
    const longer = `${Number(good.username.split(':')[0]) + 86_400}:${good.username.split(':')[1]}`;
    expect(await allocate(strict, { ...good, username: longer })).toBe(401);
    expect(
      await allocate(strict, turnCredentials('another secret', [], Date.now() / 1000 + 60, 'a call of hers')),
    ).toBe(401);
  });
});

describe('the sample configuration', () => {
  it('gives one person in a call so many allocations and no more, however often new credentials are asked for', async () => {
    const clients: TurnClient[] = [];
    const open = async ({ username, credential }: IceServer) => {
      const client = await TurnClient.connect(strict.port, username, credential);
      clients.push(client);
      return client.allocate();
    };
    const greedy = [];
    for (let i = 0; i < 20; i += 1) greedy.push(await open(expiring(60 + i, 'greedy')));
    expect(greedy).toEqual([...Array(16).fill(0), ...Array(4).fill(ALLOCATION_QUOTA_REACHED)]);
    expect(await open(expiring(60, 'somebody else'))).toBe(0);
    for (const client of clients) client.close();
  });

  it('relays to no loopback, private or link-local address', async () => {
    const { username, credential } = expiring(60);
    const client = await TurnClient.connect(strict.port, username, credential);
    expect(await client.allocate()).toBe(0);
    const inside = [
      '127.0.0.1',
      '10.0.0.1',
      '172.16.5.4',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
    ];
    for (const address of [...inside, '224.0.0.1', '255.255.255.255']) {
      expect([address, await client.permit(address)]).toEqual([address, 403]);
    }
    // A permission sends nothing: that the refusals are not for everything.
    expect(await client.permit('8.8.8.8')).toBe(0);
    client.close();
  });

  it('lets the one address through that is named', async () => {
    const { username, credential } = expiring(60);
    const client = await TurnClient.connect(coturn.port, username, credential);
    expect(await client.allocate()).toBe(0);
    expect(await client.permit('127.0.0.1')).toBe(0);
    for (const address of ['127.0.0.2', '10.0.0.1']) expect(await client.permit(address)).toBe(403);
    client.close();
  });
});

describe('TURN over TLS', () => {
  it('works with the sample configuration, credentials and denied addresses as without', async () => {
    await using stack = new AsyncDisposableStack();
    const port = await freeUdpPort();
    const relay = await Coturn.start(await freeUdpPort(), SECRET, [], { port, ...tls });
    stack.defer(() => relay.stop());
    const open = async ({ username, credential }: IceServer) => {
      const client = await TurnClient.connectTls(port, username, credential, await readFile(tls.cert));
      stack.defer(() => client.close());
      return client;
    };
    expect(await (await open(expiring(-2))).allocate()).toBe(401);
    const client = await open(expiring(60));
    expect(await client.allocate()).toBe(0);
    for (const address of ['127.0.0.1', '10.0.0.1', '192.168.1.1', '169.254.169.254'])
      expect([address, await client.permit(address)]).toEqual([address, 403]);
    expect(await client.permit('8.8.8.8')).toBe(0);
  });
});

describe('with Chromium at both ends', { timeout: 60_000 }, () => {
  let pages: CallPages;
  beforeAll(async () => {
    pages = await CallPages.open(app.url, [trustFlag(tls.cert)]);
  });
  afterAll(() => pages?.close());

  it.each([
    ['over UDP', 'turn:', 'relay by udp'],
    ['over TLS', 'turns:', 'relay by tls'],
  ])('a call goes through the relay %s when nothing else is allowed', async (_, scheme, route) => {
    const { ann, bob, matchId } = await newMatch(app);
    const { call, seat } = await ann.ok('POST', `/calls/initiate/${matchId}`, {});
    const annPage = await pages.sit('sfu', ann, seat);
    const bobPage = await pages.sit('sfu', bob, (await bob.ok('POST', `/calls/${call.id}/answer`, {})).seat);
    await Promise.all(
      [
        { page: annPage, person: ann },
        { page: bobPage, person: bob },
      ].map(async ({ page, person }) => {
        const [server] = (await person.ok('GET', '/calls/ice-servers')).iceServers;
        const urls = server.urls.filter((url: string) => url.startsWith(scheme));
        await page.do('open', { iceServers: [{ ...server, urls }], iceTransportPolicy: 'relay' });
        expect(await page.do('send', 'audio')).toBe('done');
      }),
    );
    await Promise.all([annPage.hears('audio', { bytes: 2_000 }), bobPage.hears('audio', { bytes: 2_000 })]);
    for (const page of [annPage, bobPage])
      expect(await page.do('routes')).toEqual({ send: route, recv: route });
    await ann.ok('POST', `/calls/${call.id}/end`);
    await Promise.all([annPage.close(), bobPage.close()]);
  });
});
