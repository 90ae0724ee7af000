import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EmbeddedS3, startEmbeddedS3 } from '../../../src/platform/EmbeddedS3.ts';
import { FakeClock } from '../../support/FakeClock.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'duet-s3-'));
let s3: EmbeddedS3;
let client: S3Client;

const Bucket = 'duet';
/** Everything that a signature can get wrong. */
const KEYS = [
  'photos/a.webp',
  "photos/b c+d&e=f(1)!'*.webp",
  'photos/ä/ñ.webp',
  'deep/a',
  'deep/a/b',
  '100%',
];

function clientOf({ endpoint, accessKeyId, secretAccessKey }: EmbeddedS3): S3Client {
  return new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  });
}

beforeAll(async () => {
  s3 = await startEmbeddedS3({ dataDir });
  client = clientOf(s3);
});

afterAll(async () => {
  await s3.close();
  rmSync(dataDir, { recursive: true });
});

test('the bucket is there, another one is not', async () => {
  expect((await client.send(new HeadBucketCommand({ Bucket }))).$metadata.httpStatusCode).toBe(200);
  await expect(client.send(new HeadBucketCommand({ Bucket: 'nobody' }))).rejects.toMatchObject({
    name: 'NotFound',
  });
});

test.each(KEYS)('put, get, head, presigned get, delete: %s', async (Key) => {
  const Body = Buffer.from(`content of ${Key}\n\u0000\u00ff`);
  await client.send(
    new PutObjectCommand({ Bucket, Key, Body, ContentType: 'image/webp', Metadata: { who: 'me' } }),
  );

  const got = await client.send(new GetObjectCommand({ Bucket, Key }));
  expect(Buffer.from(await got.Body!.transformToByteArray())).toEqual(Body);
  expect(got).toMatchObject({
    ContentType: 'image/webp',
    ContentLength: Body.length,
    Metadata: { who: 'me' },
  });
  expect(await client.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject({
    ContentLength: Body.length,
  });

  const response = await fetch(
    await getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 }),
  );
  expect(response.status).toBe(200);
  expect(Buffer.from(await response.arrayBuffer())).toEqual(Body);

  await client.send(new DeleteObjectCommand({ Bucket, Key }));
  await expect(client.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
    name: 'NoSuchKey',
  });
});

test('lists page by page in order, and deletes many at once', async () => {
  const keys = KEYS.map((key) => `list/${key}`);
  for (const Key of keys) await client.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }));

  const listed: string[] = [];
  let ContinuationToken: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket, Prefix: 'list/', MaxKeys: 2, ContinuationToken }),
    );
    listed.push(...(page.Contents ?? []).map(({ Key }) => Key!));
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken);
  expect(listed).toEqual([...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));

  await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
  expect((await client.send(new ListObjectsV2Command({ Bucket, Prefix: 'list/' }))).KeyCount).toBe(0);
});

test('refuses who did not sign, or signed something else', async () => {
  const Key = 'secret';
  await client.send(new PutObjectCommand({ Bucket, Key, Body: 'secret' }));
  const plain = `${s3.endpoint}/${Bucket}/${Key}`;
  expect((await fetch(plain)).status).toBe(403);
  expect((await fetch(plain, { method: 'PUT', body: 'mine' })).status).toBe(403);
  expect((await fetch(`${s3.endpoint}/${Bucket}?list-type=2`)).status).toBe(403);

  const wrong = clientOf({ ...s3, secretAccessKey: 'guessed' });
  await expect(wrong.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
    name: 'SignatureDoesNotMatch',
  });
  const unknown = clientOf({ ...s3, accessKeyId: 'somebody' });
  await expect(unknown.send(new GetObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
    name: 'InvalidAccessKeyId',
  });

  const url = await getSignedUrl(client, new GetObjectCommand({ Bucket, Key }), { expiresIn: 60 });
  expect((await fetch(url)).status).toBe(200);
  expect((await fetch(url.replace('/secret?', '/photos?'))).status).toBe(403);
  expect((await fetch(url.replace('X-Amz-Expires=60', 'X-Amz-Expires=9999'))).status).toBe(403);
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
});

test('a presigned URL ends', async () => {
  const clock = new FakeClock(Date.now());
  const other = mkdtempSync(join(tmpdir(), 'duet-s3-'));
  await using server = disposable(await startEmbeddedS3({ dataDir: other, clock }), other);
  const own = clientOf(server);
  await own.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
  const url = await getSignedUrl(own, new GetObjectCommand({ Bucket, Key: 'a' }), { expiresIn: 60 });
  expect((await fetch(url)).status).toBe(200);
  clock.advance(61_000);
  expect((await fetch(url)).status).toBe(403);
});

test.each(['', '{', 'null', '{"accessKeyId":"a"}'])(
  'credentials that a full disk cut short are made anew: %s',
  async (left) => {
    const other = mkdtempSync(join(tmpdir(), 'duet-s3-'));
    const path = join(other, 'credentials.json');
    writeFileSync(path, left);
    await using server = disposable(await startEmbeddedS3({ dataDir: other }), other);
    await clientOf(server).send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
    const { accessKeyId, secretAccessKey } = server;
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ accessKeyId, secretAccessKey });
  },
);

test('a key does not lead out of the bucket', async () => {
  for (const Key of ['../../outside', 'a/../../../outside', '..', 'a//b']) {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key }));
    expect(await got.Body!.transformToString()).toBe(Key);
  }
  expect(readdirSync(dataDir).sort()).toEqual(['buckets', 'credentials.json', 'unfinished']);
  expect(readdirSync(join(dataDir, 'buckets'))).toEqual([Bucket]);
});

test('says what it does not know', async () => {
  const copy = new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/secret` });
  await expect(client.send(copy)).rejects.toMatchObject({ name: 'NotImplemented' });
});

test('keeps objects and credentials over a restart', async () => {
  await client.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'still here' }));
  await s3.close();
  await expect(fetch(s3.endpoint)).rejects.toThrow();
  const { accessKeyId } = s3;
  s3 = await startEmbeddedS3({ dataDir });
  client = clientOf(s3);
  expect(s3.accessKeyId).toBe(accessKeyId);
  const got = await client.send(new GetObjectCommand({ Bucket, Key: 'kept' }));
  expect(await got.Body!.transformToString()).toBe('still here');
});

function disposable(server: EmbeddedS3, folder: string): EmbeddedS3 & AsyncDisposable {
  return Object.assign(server, {
    [Symbol.asyncDispose]: async () => {
      await server.close();
      rmSync(folder, { recursive: true });
    },
  });
}
