import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Header, type HeaderText, headerText, joinHeaders } from './headers.ts';

/**
 * A built folder, read into memory once at the start. Each file is a route of its own, so there is no path to climb
 * out of and no disk to wait for; what is not in the folder is a 404 like everything unknown.
 */

export type StaticFile = {
  /** The URL's path. */
  path: string;
  bytes: Buffer;
  /** The same compressed, where that pays. */
  gzip: Buffer | undefined;
  etag: string;
  headers: HeaderText;
};

export type StaticOptions = {
  /** Origins besides our own that images come from (the photo bucket). */
  imageOrigins?: readonly string[];
  /** Paths that show `index.html` as well: pages of the application that links in mails lead to. */
  pages?: readonly string[];
};

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.wasm': 'application/wasm',
};

// The bundler puts a hash of the content into the name of what it writes here.
const HASHED = /^\/assets\/.*[-.][A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;
const COMPRESSIBLE = /^(text\/|application\/(json|manifest|wasm)|image\/svg)/;
const COMPRESS_FROM_BYTES = 1024;
// With any weight but 0, which means: anything else (RFC 9110 section 12.4.2).
const TAKES_GZIP = /(?:^|,)\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/i;
const IMMUTABLE = 'public, max-age=31536000, immutable';
const REVALIDATE = 'no-cache';
const GZIP = headerText([['content-encoding', 'gzip']]);

/** Reads `folder` with everything below it. Throws if it cannot be read. `index.html` is served as `/`. */
export function loadStaticFiles(folder: string, options: StaticOptions = {}): StaticFile[] {
  const policy = contentSecurityPolicy(options.imageOrigins ?? []);
  const files: StaticFile[] = [];
  for (const found of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!found.isFile()) continue;
    const full = join(found.parentPath, found.name);
    const path = `/${full.slice(folder.length).split(/[\\/]/).filter(Boolean).join('/')}`;
    if (path === '/index.html') {
      for (const page of ['/', ...(options.pages ?? [])]) files.push(staticFile(page, full, policy));
    } else {
      files.push(staticFile(path, full, policy));
    }
  }
  return files;
}

/** Status, headers and body for a request with these two headers (RFC 9110 section 13.1.2 and 12.5.3). */
export function fileAnswer(
  file: StaticFile,
  ifNoneMatch: string,
  acceptEncoding: string,
): [number, HeaderText, Buffer | undefined] {
  if (ifNoneMatch !== '' && ifNoneMatch.split(',').some((tag) => isTagOf(file, tag.trim()))) {
    return [304, file.headers, undefined];
  }
  if (file.gzip !== undefined && TAKES_GZIP.test(acceptEncoding)) {
    return [200, joinHeaders(file.headers, GZIP), file.gzip];
  }
  return [200, file.headers, file.bytes];
}

/** What a page of ours may load: only what it came with, its own server, and the given origins' images. */
export function contentSecurityPolicy(imageOrigins: readonly string[], styles = "'unsafe-inline'"): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' ${styles}`,
    "connect-src 'self' ws: wss:",
    ["img-src 'self' data: blob:", ...imageOrigins].join(' '),
    "media-src 'self' blob:",
    "font-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** By weak comparison (RFC 9110 section 8.8.3.2); `*` is any. */
function isTagOf({ etag }: StaticFile, tag: string): boolean {
  return tag === '*' || tag === etag || `W/${tag}` === etag;
}

function staticFile(path: string, full: string, policy: string): StaticFile {
  const bytes = readFileSync(full);
  const type = TYPES[extname(full).toLowerCase()] ?? 'application/octet-stream';
  const gzip = COMPRESSIBLE.test(type) && bytes.length >= COMPRESS_FROM_BYTES ? gzipSync(bytes) : undefined;
  // Weak: the same tag stands for the compressed and the plain bytes (RFC 9110 section 8.8.1).
  const etag = `W/"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`;
  const headers: Header[] = [
    ['content-type', type],
    ['cache-control', HASHED.test(path) ? IMMUTABLE : REVALIDATE],
    ['etag', etag],
  ];
  if (gzip !== undefined) headers.push(['vary', 'accept-encoding']);
  if (type.startsWith('text/html')) {
    headers.push(
      ['content-security-policy', policy],
      ['cross-origin-opener-policy', 'same-origin'],
      ['permissions-policy', 'camera=(self), microphone=(self), geolocation=(self)'],
    );
  }
  return { path, bytes, gzip, etag, headers: headerText(headers) };
}
