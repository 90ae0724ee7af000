/**
 * An S3 server of one's own, for development and tests: on loopback, its objects as files in a folder. It knows what an
 * object store is used for (put, get, head, delete, list, presigned URLs) and answers 501 to the rest.
 *
 * Every request must be signed, as with the real one. The S3 servers on npm that were looked at do not ask for
 * that: `fauxqs` checks no signature at all and listens on all interfaces, `s3rver` and its successor let anonymous requests
 * read and write, refuse keys with other than plain letters, and write over a file that is being read.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import { type Clock, SystemClock } from '../clock.ts';
import { S3Files } from './S3Files.ts';
import { refuseSignature, type S3Credentials } from './s3Signature.ts';
import { writeWhole } from './wholeFile.ts';

export interface EmbeddedS3Options {
  /** A folder for everything that is kept; made where it is missing. */
  dataDir: string;
  /** Decides when presigned URLs expire. Default: the system's. */
  clock?: Clock;
}

export interface EmbeddedS3 extends S3Credentials {
  /** `http://127.0.0.1:port`, with the bucket in the path. Any region will do. */
  endpoint: string;
  bucket: string;
  /** Ends every connection. May be called more than once. */
  close(): Promise<void>;
}

interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

interface S3Request {
  method: string;
  bucket: string;
  /** Empty for the bucket itself. */
  key: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  body: Buffer;
}

const HOST = '127.0.0.1';
/** Made where it is missing. */
const BUCKET = 'duet';
const BODY_LIMIT_BYTES = 64 * 1024 * 1024;
const LIST_LIMIT = 1000;

const ERRORS = {
  AccessDenied: 403,
  BadRequest: 400,
  EntityTooLarge: 400,
  InternalError: 500,
  InvalidAccessKeyId: 403,
  NoSuchBucket: 404,
  NoSuchKey: 404,
  NotImplemented: 501,
  SignatureDoesNotMatch: 403,
  XAmzContentSHA256Mismatch: 400,
} as const;

/** Kept with an object and given back with it. */
const KEPT_HEADERS =
  /^(content-type|content-encoding|content-disposition|content-language|cache-control|expires|x-amz-meta-.+)$/;

/** Starts the server on `dataDir`. Credentials are random, made once, and kept there. */
export async function startEmbeddedS3(options: EmbeddedS3Options): Promise<EmbeddedS3> {
  const dataDir = resolve(options.dataDir);
  const clock = options.clock ?? new SystemClock();
  const credentials = readCredentials(dataDir);
  const files = new S3Files(dataDir);
  await files.open();
  await files.createBucket(BUCKET);

  const server = createServer((request, response) => {
    serve(request, files, credentials, clock).then(
      (answer) => send(response, answer, request.method === 'HEAD'),
      () => send(response, refusal('InternalError'), request.method === 'HEAD'),
    );
  });
  server.listen(0, HOST);
  await once(server, 'listening');
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;

  let closing: Promise<void> | null = null;
  const stop = async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return {
    ...credentials,
    endpoint: `http://${HOST}:${port}`,
    bucket: BUCKET,
    close: () => {
      closing ??= stop();
      return closing;
    },
  };
}

function readCredentials(dataDir: string): S3Credentials {
  const path = join(dataDir, 'credentials.json');
  const kept = readKept(path);
  if (kept !== undefined) return kept;
  const made = {
    accessKeyId: randomBytes(10).toString('hex'),
    secretAccessKey: randomBytes(24).toString('base64url'),
  };
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const isOurs = writeWhole(path, JSON.stringify(made), existsSync(path));
  return isOurs ? made : readCredentials(dataDir);
}

/** What cannot be read counts as absent: nothing but this server's own requests depends on it. */
function readKept(path: string): S3Credentials | undefined {
  try {
    const kept = JSON.parse(readFileSync(path, 'utf8')) as Partial<S3Credentials> | null;
    return kept?.accessKeyId && kept.secretAccessKey ? (kept as S3Credentials) : undefined;
  } catch {
    return undefined;
  }
}

async function serve(
  incoming: IncomingMessage,
  files: S3Files,
  credentials: S3Credentials,
  clock: Clock,
): Promise<Answer> {
  const body = await readBody(incoming);
  if (!body) return refusal('EntityTooLarge');
  const method = incoming.method ?? 'GET';
  const target = incoming.url ?? '/';
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]),
  );

  let path: string[];
  try {
    path = target.split('?')[0]!.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return refusal('BadRequest');
  }
  const refused = refuseSignature({ method, target, headers, body }, credentials, clock.now());
  if (refused) return refusal(refused);

  const [bucket = '', ...rest] = path;
  const query = new URL(target, 'http://s3').searchParams;
  const request = { method, bucket, key: rest.join('/'), query, headers, body };
  if (!/^[a-z0-9][a-z0-9.-]{2,62}$/.test(bucket)) return refusal('NotImplemented');
  if (request.key === '' && method === 'PUT' && query.size === 0) {
    await files.createBucket(bucket);
    return { status: 200 };
  }
  if (!(await files.hasBucket(bucket))) return refusal('NoSuchBucket');
  return request.key === '' ? serveBucket(request, files) : serveObject(request, files);
}

async function serveBucket({ method, bucket, query, body }: S3Request, files: S3Files): Promise<Answer> {
  if (method === 'HEAD') return { status: 200 };
  if (method === 'POST' && query.has('delete')) {
    const keys = [...body.toString('utf8').matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => fromXml(key!));
    await Promise.all(keys.map((key) => files.delete(bucket, key)));
    return xml('DeleteResult', keys.map((key) => `<Deleted><Key>${toXml(key)}</Key></Deleted>`).join(''));
  }
  if (method === 'GET' && query.get('list-type') === '2' && !query.has('delimiter'))
    return list(bucket, query, files);
  return refusal('NotImplemented');
}

async function list(bucket: string, query: URLSearchParams, files: S3Files): Promise<Answer> {
  const prefix = query.get('prefix') ?? '';
  const limit = Math.min(Number(query.get('max-keys') ?? LIST_LIMIT) || LIST_LIMIT, LIST_LIMIT);
  const token = query.get('continuation-token');
  const after =
    token === null ? (query.get('start-after') ?? '') : Buffer.from(token, 'base64url').toString('utf8');
  const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : toXml;
  const { files: found, more } = await files.list(bucket, prefix, after, limit);

  const contents = found.map(
    ({ key, etag, sizeBytes, modifiedAt }) =>
      `<Contents><Key>${encode(key)}</Key><LastModified>${modifiedAt.toISOString()}</LastModified>` +
      `<ETag>${toXml(etag)}</ETag><Size>${sizeBytes}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  const next = more ? Buffer.from(found.at(-1)?.key ?? after).toString('base64url') : null;
  return xml(
    'ListBucketResult',
    `<Name>${bucket}</Name><Prefix>${encode(prefix)}</Prefix><KeyCount>${found.length}</KeyCount>` +
      `<MaxKeys>${limit}</MaxKeys><IsTruncated>${more}</IsTruncated>` +
      `${next === null ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`}${contents.join('')}`,
  );
}

async function serveObject(
  { method, bucket, key, query, headers, body }: S3Request,
  files: S3Files,
): Promise<Answer> {
  // x-id names the operation and may be ignored; any other parameter asks for something that is not known here.
  const asks = [...query.keys()].filter((name) => name !== 'x-id' && !/^x-amz-/i.test(name));
  if (asks.length > 0 || headers['x-amz-copy-source']) return refusal('NotImplemented');

  if (method === 'PUT') {
    const kept = Object.entries(headers).filter(([name]) => KEPT_HEADERS.test(name));
    const etag = await files.put(bucket, key, body, Object.fromEntries(kept));
    return { status: 200, headers: { etag } };
  }
  if (method === 'GET' || method === 'HEAD') {
    const file = await files.get(bucket, key);
    if (!file) return refusal('NoSuchKey');
    const { etag, modifiedAt, content } = file;
    return {
      status: 200,
      headers: {
        'content-type': 'binary/octet-stream',
        ...file.headers,
        etag,
        'last-modified': modifiedAt.toUTCString(),
      },
      body: content,
    };
  }
  if (method === 'DELETE') {
    await files.delete(bucket, key);
    return { status: 204 };
  }
  return refusal('NotImplemented');
}

/** Null if it is too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes <= BODY_LIMIT_BYTES) chunks.push(chunk);
  }
  return sizeBytes <= BODY_LIMIT_BYTES ? Buffer.concat(chunks) : null;
}

function send(response: ServerResponse, answer: Answer, isHead: boolean): void {
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length });
  response.end(isHead ? undefined : body);
}

function refusal(code: keyof typeof ERRORS): Answer {
  return { ...xml('Error', `<Code>${code}</Code><Message>${code}</Message>`), status: ERRORS[code] };
}

function xml(root: string, content: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${content}</${root}>`;
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function toXml(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function fromXml(text: string): string {
  const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal ? String.fromCodePoint(Number(decimal)) : (named[name] ?? whole);
  });
}
