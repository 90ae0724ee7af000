/**
 * AWS Signature Version 4, the checking side, as S3 uses it (Amazon S3 API Reference, "Authenticating Requests"): in the
 * Authorization header, or in the query of a presigned URL. Streamed (chunk-signed) bodies are not known here.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

export interface SignedRequest {
  method: string;
  /** Path and query as they came. */
  target: string;
  /** Names in lower case. */
  headers: Record<string, string | undefined>;
  body: Buffer;
}

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
}

/** S3's own error codes; null: the request is who it says and unchanged. */
export type SignatureRefusal =
  | 'AccessDenied'
  | 'InvalidAccessKeyId'
  | 'SignatureDoesNotMatch'
  | 'XAmzContentSHA256Mismatch';

interface Claim {
  accessKeyId: string;
  /** date/region/service/aws4_request */
  scope: string;
  /** ISO 8601 basic, as signed. */
  date: string;
  signedHeaders: string;
  signature: string;
  payloadHash: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const UNSIGNED = 'UNSIGNED-PAYLOAD';

/**
 * Checks a request. `nowMs` (epoch) decides about presigned URLs; a signature in a header is not checked for its age: who could
 * replay it on loopback could as well read the files.
 */
export function refuseSignature(
  request: SignedRequest,
  credentials: S3Credentials,
  nowMs: number,
): SignatureRefusal | null {
  const query = new URL(request.target, 'http://s3').searchParams;
  const presigned = query.has('X-Amz-Signature');
  const claim = presigned ? claimOfQuery(query) : claimOfHeaders(request.headers);
  if (!claim) return 'AccessDenied';
  if (claim.accessKeyId !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  if (presigned && !(expiryMs(query) > nowMs)) return 'AccessDenied';

  const canonical = canonicalRequest(request, claim);
  const toSign = [ALGORITHM, claim.date, claim.scope, sha256(canonical)].join('\n');
  const expected = hmac(signingKey(credentials.secretAccessKey, claim.scope), toSign);
  const given = Buffer.from(claim.signature, 'hex');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'SignatureDoesNotMatch';

  if (claim.payloadHash !== UNSIGNED && claim.payloadHash !== sha256(request.body))
    return 'XAmzContentSHA256Mismatch';
  return null;
}

/** `AWS4-HMAC-SHA256 Credential=…/scope, SignedHeaders=…, Signature=…` */
function claimOfHeaders(headers: Record<string, string | undefined>): Claim | null {
  const [, accessKeyId, scope, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\S+), ?SignedHeaders=(\S+), ?Signature=([0-9a-f]+)$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  const date = headers['x-amz-date'];
  const payloadHash = headers['x-amz-content-sha256'];
  if (!accessKeyId || !scope || !signedHeaders || !signature || !date || !payloadHash) return null;
  return { accessKeyId, scope, signedHeaders, signature, date, payloadHash };
}

function claimOfQuery(query: URLSearchParams): Claim | null {
  const [, accessKeyId, scope] = /^([^/]+)\/(.+)$/.exec(query.get('X-Amz-Credential') ?? '') ?? [];
  const date = query.get('X-Amz-Date');
  const signedHeaders = query.get('X-Amz-SignedHeaders');
  const signature = query.get('X-Amz-Signature');
  if (query.get('X-Amz-Algorithm') !== ALGORITHM) return null;
  if (!accessKeyId || !scope || !date || !signedHeaders || !signature) return null;
  return {
    accessKeyId,
    scope,
    date,
    signedHeaders,
    signature,
    payloadHash: query.get('X-Amz-Content-Sha256') ?? UNSIGNED,
  };
}

/** Epoch ms; NaN for a date that is none. */
function expiryMs(query: URLSearchParams): number {
  const iso = (query.get('X-Amz-Date') ?? '').replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/,
    '$1-$2-$3T$4:$5:$6Z',
  );
  return Date.parse(iso) + Number(query.get('X-Amz-Expires')) * 1000;
}

function canonicalRequest(request: SignedRequest, claim: Claim): string {
  const [path, query] = request.target.split('?', 2) as [string, string | undefined];
  const parameters = [...new URLSearchParams(query)]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort();
  const headers = claim.signedHeaders
    .split(';')
    .map((name) => `${name}:${(request.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
  return [
    request.method,
    path
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    parameters.join('&'),
    headers.join(''),
    claim.signedHeaders,
    claim.payloadHash,
  ].join('\n');
}

function signingKey(secret: string, scope: string): Buffer {
  let key: Buffer = Buffer.from(`AWS4${secret}`);
  for (const part of scope.split('/')) key = hmac(key, part);
  return key;
}

/** RFC 3986: encodeURIComponent leaves five more characters alone. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
