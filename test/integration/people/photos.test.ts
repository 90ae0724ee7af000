import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { forgetPredecessor } from '../../../src/accounts/predecessor.ts';
import { sql } from '../../../src/db/sql.ts';
import { DuetError } from '../../../src/errors.ts';
import { newId } from '../../../src/ids.ts';
import { PeopleUpkeep } from '../../../src/people/PeopleUpkeep.ts';
import { Photos } from '../../../src/people/Photos.ts';
import { ObjectStore } from '../../../src/platform/ObjectStore.ts';
import { FakeClock } from '../../support/FakeClock.ts';
import { animation, chunk, hollowPng, hollowWebp, manyParted, picture } from '../../support/images.ts';
import { usePeople } from '../../support/people.ts';

const rowsOf = sql<{ key: string; ready: boolean; position: number }>(
  'test-photos',
  `select key, ready, position from photos where user_id = $1 order by position`,
);
const setStatus = sql('test-set-status', `update users set status = $2 where id = $1`);
const eraseUser = sql('test-erase-user', `delete from users where id = $1`);
const addPending = sql(
  'test-pending',
  `insert into photos (id, user_id, key, width, height, position, ready, created_at) values (gen_random_uuid(), $1, $2, 1, 1, $3, false, now() - interval '1 hour')`,
);

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof DuetError ? error.code : String(error)),
  );
}

function partsOf(url: string) {
  const { pathname, searchParams } = new URL(url);
  const [, , key, file] = pathname.split('/');
  return [key!, file!, searchParams.get('t')!, searchParams.get('s')!] as const;
}

/** An image that is there when it is let through. */
function gated(bytes: Buffer) {
  const asked = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  const source = {
    bytes: async () => {
      asked.resolve();
      await open.promise;
      return bytes;
    },
  };
  return { source, asked: asked.promise, open: open.resolve };
}

async function allKeys(store: ObjectStore): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of store.list('photos/')) keys.push(...page.map((file) => file.key));
  return keys;
}

/** A whole square PNG of 16-bit RGBA. */
function blackPng(side: number, { interlaced = false } = {}): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(side, 0);
  header.writeUInt32BE(side, 4);
  header.set([16, 6, 0, 0, interlaced ? 1 : 0], 8);
  // W3C PNG, section 8.1: first column, first row, columns and rows from one to the next.
  const adam7 = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  const passes = interlaced ? adam7 : ([[0, 0, 1, 1]] as const);
  const bytes = passes.map(
    ([x, y, dx, dy]) => Math.ceil((side - y) / dy) * (1 + 8 * Math.ceil((side - x) / dx)),
  );
  const rows = Buffer.alloc(bytes.reduce((sum, some) => sum + some, 0));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: 1 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('photos', () => {
  const at = usePeople({ poolSize: 20 });

  it('are encoded anew, upright, without any metadata, in every size that is kept', async () => {
    const { world } = at;
    const me = await world.person();
    const exif = {
      IFD0: { Copyright: 'SECRET-COPYRIGHT', Make: 'SECRET-CAMERA' },
      IFD3: { GPSLatitude: '51/1 2/1 3/1' },
    };
    const original = await sharp(await picture(1, 'jpeg', 800, 400))
      .withExif(exif)
      .withMetadata({ orientation: 6 })
      .withIccProfile('p3')
      .jpeg()
      .toBuffer();
    const photo = await world.photos.upload(me, Buffer.concat([original, Buffer.from('SECRET-TRAILER')]));
    expect([photo.width, photo.height]).toEqual([400, 800]);
    expect(photo.placeholder).toMatch(/^data:image\/webp;base64,/);
    expect(photo.placeholder.length).toBeLessThan(600);
    const [row] = await world.db.query(rowsOf, [me]);
    for (const file of ['full', 'card', 'thumb']) {
      const bytes = (await world.store.get(`photos/${row!.key}/${file}.webp`))!;
      const { exif: kept, icc, xmp, iptc, format, orientation } = await sharp(bytes).metadata();
      expect({ kept, icc, xmp, iptc, format, orientation }).toEqual({
        format: 'webp',
        kept: undefined,
        icc: undefined,
        xmp: undefined,
        iptc: undefined,
        orientation: undefined,
      });
      expect(bytes.includes('SECRET')).toBe(false);
    }
  });

  it('are known by their content, and bounded before they are decoded', async () => {
    const { world } = at;
    const me = await world.person();
    const gif = await sharp(await picture(2))
      .gif()
      .toBuffer();
    const svg = Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><script>alert(1)</script></svg>',
    );
    const wrong = [
      gif,
      svg,
      Buffer.from('<html><script>1</script></html>'),
      Buffer.from('<?xml version="1.0"?><!DOCTYPE x>'),
      Buffer.from('%!PS-Adobe-3.0 EPSF-3.0'),
      await sharp(await picture(2))
        .tiff()
        .toBuffer(),
    ];
    for (const bytes of wrong)
      expect(await codeOf(world.photos.upload(me, bytes))).toBe('UNSUPPORTED_MEDIA_TYPE');
    const zippedText = chunk(
      'zTXt',
      Buffer.concat([Buffer.from('Comment\0\0'), deflateSync(Buffer.alloc(60_000_000))]),
    );
    const broken = [
      Buffer.alloc(0),
      hollowPng(65_000, 65_000),
      hollowPng(8_000, 8_000),
      hollowPng(500, 500),
      hollowPng(500, 500, [zippedText]),
      (await picture(3)).subarray(0, 2_000),
      await picture(4, 'png', 32, 32),
      Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(5_000, 7)]),
    ];
    const memoryBefore = process.memoryUsage().rss;
    const before = process.cpuUsage();
    for (const bytes of broken)
      expect(await codeOf(world.photos.upload(me, bytes))).toBe('VALIDATION_FAILED');
    // Processor time, whatever else this machine is doing: decoding one of them would take more.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(4_000_000);
    expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(150 * 1024 * 1024);
    expect(await world.db.query(rowsOf, [me])).toEqual([]);
  });

  it('that would be held whole are bounded in memory before they are decoded', async () => {
    const { world } = at;
    const me = await world.person();
    const flat = (side: number) =>
      sharp({ create: { width: side, height: side, channels: 3, background: '#345' } });
    const progressive = (side: number) =>
      flat(side).jpeg({ progressive: true, chromaSubsampling: '4:4:4' }).toBuffer();
    const large = [
      blackPng(4_000, { interlaced: true }),
      await progressive(4_200),
      blackPng(4_600),
      await animation(4_000),
      hollowWebp(5_100),
    ];
    const before = process.cpuUsage();
    const tooLarge = { details: [{ message: expect.stringContaining('too much memory') }] };
    for (const bytes of large) await expect(world.photos.upload(me, bytes)).rejects.toMatchObject(tooLarge);
    // Decoding any of them would take more than that.
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeLessThan(500_000);
    const usual = [
      blackPng(1_000, { interlaced: true }),
      await progressive(2_000),
      blackPng(1_000),
      await animation(1_000),
    ];
    for (const bytes of usual) expect(await codeOf(world.photos.upload(me, bytes))).toBe('none');
  });

  it('of more parts than anybody needs are refused before anything decodes them', async () => {
    const { world } = at;
    const me = await world.person();
    const intricate = [
      await manyParted(1_000, 0),
      await manyParted(0, 40),
      await animation(100, 1_000),
      hollowPng(500, 500, Array(1_000).fill(chunk('prVt', Buffer.alloc(1)))),
    ];
    const tooMany = { details: [{ message: 'has too many parts' }] };
    for (const bytes of intricate)
      await expect(world.photos.upload(me, bytes)).rejects.toMatchObject(tooMany);
    const usual = [
      await manyParted(900, 0),
      await animation(100, 900),
      Buffer.concat([await picture(8, 'png'), Buffer.alloc(50_000)]),
    ];
    for (const bytes of usual) expect(await codeOf(world.photos.upload(me, bytes))).toBe('none');
  });

  it('cost no memory for texts that nobody reads', async () => {
    const { world } = at;
    const me = await world.person();
    const megabytes = deflateSync(Buffer.alloc(20_000_000, 'x'));
    const texts = ['zTXt', 'iTXt'].flatMap((type) =>
      Array.from({ length: 10 }, (_, nth) => {
        const head = type === 'zTXt' ? `Key ${nth}\0\0` : `Key ${nth}\0\x01\0\0\0`;
        return chunk(type, Buffer.concat([Buffer.from(head, 'latin1'), megabytes]));
      }),
    );
    const plain = await picture(9, 'png');
    const first = plain.indexOf('IDAT') - 4;
    const bytes = Buffer.concat([plain.subarray(0, first), ...texts, plain.subarray(first)]);
    const { maxRSS: before } = process.resourceUsage();
    expect((await world.photos.upload(me, bytes)).width).toBe(640);
    // In kilobytes: all of them in words would be 400 MB, and a decoder copies them.
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(200_000);
  });

  it('leave nothing of an account that another owner took over while they were decoded', async () => {
    const { world } = at;
    const me = await world.person();
    const before = await allKeys(world.store);
    const { source, asked, open } = gated(await picture(65));
    const upload = codeOf(world.photos.upload(me, source));
    await asked;
    await world.db.transaction((tx) => forgetPredecessor(tx, me, undefined));
    open();
    expect(await upload).toBe('UNAVAILABLE');
    expect(await world.db.query(rowsOf, [me])).toEqual([]);
    expect(await allKeys(world.store)).toEqual(before);
  });

  it('of 16 bits a channel keep the colours that their profile gives them', async () => {
    const { world } = at;
    const me = await world.person();
    const source = sharp({ create: { width: 200, height: 200, channels: 3, background: '#c04020' } });
    const wide = source.toColourspace('rgb16').withIccProfile('p3').png();
    const { depth, hasProfile } = await sharp(await wide.toBuffer()).metadata();
    expect({ depth, hasProfile }).toEqual({ depth: 'ushort', hasProfile: true });
    const [key] = partsOf((await world.photos.upload(me, await wide.toBuffer())).url);
    const { channels } = await sharp((await world.store.get(`photos/${key}/full.webp`))!).stats();
    const away = channels.map(({ mean }, nth) => Math.abs(mean - [0xc0, 0x40, 0x20][nth]!));
    expect(Math.max(...away)).toBeLessThan(5);
  });

  it('take every type, and only the first frame of an animation', async () => {
    const { world } = at;
    const me = await world.person();
    for (const format of ['jpeg', 'png', 'webp'] as const) {
      expect((await world.photos.upload(me, await picture(10 + format.length, format))).width).toBe(640);
    }
    const frames = Buffer.concat(
      await Promise.all(
        [1, 2, 3, 4].map((n) =>
          sharp({ create: { width: 100, height: 100, channels: 3, background: { r: n * 60, g: 0, b: 90 } } })
            .raw()
            .toBuffer(),
        ),
      ),
    );
    const animated = await sharp(frames, { raw: { width: 100, height: 400, channels: 3, pageHeight: 100 } })
      .webp({ loop: 0 })
      .toBuffer();
    expect((await world.photos.upload(me, animated)).height).toBe(100);
  });

  it('are exactly six under 100 uploads at once, with no file too many', async () => {
    const { world } = at;
    const me = await world.person();
    const before = (await allKeys(world.store)).length;
    const images = await Promise.all(
      Array.from({ length: 10 }, (_, i) => picture(100 + i, 'jpeg', 200, 200)),
    );
    const codes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => codeOf(world.photos.upload(me, images[i % 10]!))),
    );
    expect(codes.filter((code) => code === 'none')).toHaveLength(6);
    expect(codes.filter((code) => code !== 'none' && code !== 'CONFLICT')).toEqual([]);
    const rows = await world.db.query(rowsOf, [me]);
    expect(rows.map((row) => [row.position, row.ready])).toEqual([0, 1, 2, 3, 4, 5].map((n) => [n, true]));
    expect((await allKeys(world.store)).length - before).toBe(18);
    expect((await world.people.me(me)).photos).toHaveLength(6);
  });

  it('can be put in order and removed, and the first is the main one', async () => {
    const { world } = at;
    const me = await world.person();
    const [a, b, c] = [
      await world.photos.upload(me, await picture(21)),
      await world.photos.upload(me, await picture(22)),
      await world.photos.upload(me, await picture(23)),
    ];
    await world.photos.reorder(me, [c.id, a.id, b.id]);
    expect((await world.people.me(me)).photos.map((photo) => [photo.id, photo.position])).toEqual([
      [c.id, 0],
      [a.id, 1],
      [b.id, 2],
    ]);
    for (const wrong of [
      [],
      [a.id, b.id],
      [a.id, b.id, b.id],
      [a.id, b.id, '0190a0a0-0000-7000-8000-000000000000'],
    ]) {
      expect(await codeOf(world.photos.reorder(me, wrong))).toBe('VALIDATION_FAILED');
    }
    const [row] = await world.db.query(rowsOf, [me]);
    await world.photos.remove(me, c.id);
    expect((await world.people.me(me)).photos.map((photo) => [photo.id, photo.position])).toEqual([
      [a.id, 0],
      [b.id, 1],
    ]);
    expect(await world.store.get(`photos/${row!.key}/card.webp`)).toBeUndefined();
    expect(await codeOf(world.photos.remove(me, c.id))).toBe('NOT_FOUND');
    expect(await codeOf(world.photos.remove(await world.person(), a.id))).toBe('NOT_FOUND');
  });

  it('are refused to whom they are not shown any more: 403 for a block, a ban on either side, a removal, a guess', async () => {
    const { world } = at;
    const [me, viewer] = await world.persons(2);
    const photo = await world.photos.upload(me!, await picture(31));
    const card = await world.people.card(viewer!, me!);
    const link = partsOf(card.photos[0]!.url);
    expect(card.photos[0]!.url).not.toMatch(new RegExp(`${me}|${viewer}|${photo.id}`));
    expect((await world.photos.file(...link)).length).toBeGreaterThan(100);
    const [key, file, token, signature] = link;
    const wrongs: [string, string, string, string][] = [
      [key, 'full.webp', token, signature],
      [key.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')), file, token, signature],
      [key, file, token.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')), signature],
      [key, file, token, ''],
      [key, '../card.webp', token, signature],
    ];
    for (const wrong of wrongs) expect(await codeOf(world.photos.file(...wrong))).toBe('FORBIDDEN');
    await world.blocks.block(me!, viewer!);
    expect(await codeOf(world.photos.file(...link))).toBe('FORBIDDEN');
    await world.blocks.unblock(me!, viewer!);
    expect(await codeOf(world.photos.file(...link))).toBe('none');
    await world.db.query(setStatus, [me!, 'banned']);
    expect(await codeOf(world.photos.file(...link))).toBe('FORBIDDEN');
    await world.db.query(setStatus, [me!, 'active']);
    const own = partsOf(photo.url);
    for (const status of ['suspended', 'banned', 'deleted']) {
      await world.db.query(setStatus, [viewer!, status]);
      expect(await codeOf(world.photos.file(...link)), status).toBe('FORBIDDEN');
      await world.db.query(setStatus, [me!, status]);
      expect(await codeOf(world.photos.file(...own)), status).toBe('FORBIDDEN');
      await world.db.query(setStatus, [me!, 'active']);
    }
    await world.db.query(eraseUser, [viewer!]);
    expect(await codeOf(world.photos.file(...link))).toBe('FORBIDDEN');
    expect(await codeOf(world.photos.file(...own))).toBe('none');
    await world.photos.remove(me!, photo.id);
    expect(await codeOf(world.photos.file(...own))).toBe('FORBIDDEN');
    expect(await codeOf(world.photos.file(...link))).toBe('FORBIDDEN');
  });

  it('leave nothing half done while the store is away or hangs: 503 in time', async () => {
    const { world } = at;
    const me = await world.person();
    const hanging = createServer(() => {});
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    const port = (hanging.address() as AddressInfo).port;
    for (const endpoint of ['http://127.0.0.1:9', `http://127.0.0.1:${port}`]) {
      const store = new ObjectStore({
        endpoint,
        region: 'us-east-1',
        bucket: 'duet',
        accessKeyId: 'x',
        secretAccessKey: 'x',
        timeoutMs: 700,
      });
      const photos = new Photos({ ...world, store, onChange: async () => {} });
      expect(await codeOf(photos.upload(me, await picture(41)))).toBe('UNAVAILABLE');
      expect(await world.db.query(rowsOf, [me])).toEqual([]);
      store.close();
    }
    hanging.closeAllConnections();
    hanging.close();
    expect((await world.photos.upload(me, await picture(41))).position).toBe(0);
  });

  it('leave no file of an upload that was refused after they were stored', async () => {
    const { world } = at;
    const me = await world.person();
    const before = await allKeys(world.store);
    const photos = new Photos({
      ...world,
      store: Object.assign(Object.create(world.store) as ObjectStore, {
        put: async (key: string, bytes: Buffer, type: string) => {
          await world.store.put(key, bytes, type);
          await world.db.query(setStatus, [me, 'suspended']);
        },
        remove: (keys: string[]) => world.store.remove(keys),
      }),
      onChange: async () => {},
    });
    expect(await codeOf(photos.upload(me, await picture(42)))).toBe('NOT_FOUND');
    expect(await world.db.query(rowsOf, [me])).toEqual([]);
    expect(await allKeys(world.store)).toEqual(before);
  });

  it('keep the files of one that is ready though its answer was lost', async () => {
    const { world } = at;
    const me = await world.person();
    const photos = new Photos({
      ...world,
      onChange: async () => {
        throw new DuetError('UNAVAILABLE');
      },
    });
    expect(await codeOf(photos.upload(me, await picture(43)))).toBe('UNAVAILABLE');
    const [row] = await world.db.query(rowsOf, [me]);
    expect(row!.ready).toBe(true);
    expect(await world.store.get(`photos/${row!.key}/card.webp`)).toBeDefined();
  });

  it('sent again while the first is on its way are the same one', async () => {
    const { world } = at;
    const me = await world.person();
    const id = newId();
    const { source, asked, open } = gated(await picture(44));
    const first = world.photos.upload(me, source, id);
    await asked;
    const second = world.photos.upload(me, await picture(44), id);
    open();
    expect((await second).id).toBe(id);
    expect(await first).toEqual(await second);
    expect(await world.photos.upload(me, await picture(44), id)).toEqual(await first);
  });

  it('take no place for longer than an upload lasts when a crash left it taken', async () => {
    const { world } = at;
    const me = await world.person();
    for (let n = 0; n < 6; n++) await world.db.query(addPending, [me, `left-${n}`, n]);
    expect((await world.photos.upload(me, await picture(45))).position).toBe(0);
    expect(await world.db.query(rowsOf, [me])).toHaveLength(1);
  });

  it('that a store refuses to remove are not taken for removed', async () => {
    const refusing = createServer((_, response) => {
      response.setHeader('content-type', 'application/xml');
      response.end(
        '<DeleteResult><Error><Key>photos/a/full.webp</Key><Code>AccessDenied</Code></Error></DeleteResult>',
      );
    });
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    const { port } = refusing.address() as AddressInfo;
    const store = new ObjectStore({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      bucket: 'duet',
      accessKeyId: 'x',
      secretAccessKey: 'x',
    });
    await expect(store.remove(['photos/a/full.webp'])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      cause: { message: expect.stringContaining('AccessDenied') },
    });
    store.close();
    refusing.closeAllConnections();
    refusing.close();
  });

  it('that a crash left half done are swept, and files without a photo too', async () => {
    const { world } = at;
    const me = await world.person();
    const kept = await world.photos.upload(me, await picture(51));
    await world.db.query(addPending, [me, 'abandoned', 5]);
    await world.store.put('photos/abandoned/full.webp', Buffer.from('x'), 'image/webp');
    await world.store.put('photos/orphan/card.webp', Buffer.from('x'), 'image/webp');
    const upkeep = new PeopleUpkeep({ ...world });
    expect(await upkeep.sweepAbandoned()).toBe(1);
    expect(await upkeep.sweepOrphans()).toBe(0);
    const clock = new FakeClock(Date.now() + 2 * 3_600_000);
    expect(await new PeopleUpkeep({ ...world, clock }).sweepOrphans()).toBe(1);
    const keys = await allKeys(world.store);
    expect(keys.some((key) => /abandoned|orphan/.test(key))).toBe(false);
    expect((await world.people.me(me)).photos.map((photo) => photo.id)).toEqual([kept.id]);
    expect(keys.filter((key) => key.includes(partsOf(kept.url)[0]))).toHaveLength(3);
  });

  it('of a banned person are known again, also scaled and re-encoded', async () => {
    const { world } = at;
    const [banned, again] = await world.persons(2);
    const original = await picture(61, 'jpeg', 900, 700);
    await world.photos.upload(banned!, original);
    await world.photos.banPicturesOf(world.db, banned!);
    const disguised = await sharp(original)
      .resize(500)
      .modulate({ brightness: 1.05 })
      .jpeg({ quality: 50 })
      .toBuffer();
    expect(await codeOf(world.photos.upload(again!, disguised))).toBe('FORBIDDEN');
    expect(await codeOf(world.photos.upload(again!, await picture(62)))).toBe('none');
  });

  it('of who was banned while they were decoded are known again too, until the ban is lifted', async () => {
    const { world } = at;
    const [banned, again] = await world.persons(2);
    const { source, asked, open } = gated(await picture(63));
    const upload = codeOf(world.photos.upload(banned!, source));
    await asked;
    await world.db.query(setStatus, [banned!, 'banned']);
    await world.photos.banPicturesOf(world.db, banned!);
    open();
    expect(await upload).toBe('NOT_FOUND');
    expect(await codeOf(world.photos.upload(again!, await picture(63)))).toBe('FORBIDDEN');
    await world.db.query(setStatus, [banned!, 'active']);
    await world.photos.allowPicturesOf(world.db, banned!);
    expect(await codeOf(world.photos.upload(again!, await picture(63)))).toBe('none');
  });

  it.each(['suspended', 'deleted'])('of who was %s while they were decoded are not kept', async (status) => {
    const { world } = at;
    const me = await world.person();
    const { source, asked, open } = gated(await picture(64));
    const upload = codeOf(world.photos.upload(me, source));
    await asked;
    await world.db.query(setStatus, [me, status]);
    open();
    expect(await upload).toBe('NOT_FOUND');
    expect(await world.db.query(rowsOf, [me])).toEqual([]);
  });
});
