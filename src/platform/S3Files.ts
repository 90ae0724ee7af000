/** The buckets and objects of the embedded S3 server as files. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface StoredFile {
  /** As S3 has it: the MD5 of the content in double quotes. */
  etag: string;
  sizeBytes: number;
  modifiedAt: Date;
  /** What the object was put with: content-type, cache-control, x-amz-meta-* and so on. */
  headers: Record<string, string>;
}

export interface ListedFile {
  key: string;
  etag: string;
  sizeBytes: number;
  modifiedAt: Date;
}

/**
 * One file for each object: a line of JSON about it, then its content. It is written elsewhere and moved into place, so that it
 * is there as a whole or not at all. The folders are the parts of the key between slashes; an object's own part begins with
 * "=", which no folder's name does.
 */
export class S3Files {
  readonly #buckets: string;
  readonly #unfinished: string;

  constructor(dataDir: string) {
    this.#buckets = join(dataDir, 'buckets');
    this.#unfinished = join(dataDir, 'unfinished');
  }

  /** Clears away what a killed process was writing. */
  async open(): Promise<void> {
    await rm(this.#unfinished, { recursive: true, force: true });
    await mkdir(this.#unfinished, { recursive: true, mode: 0o700 });
    await mkdir(this.#buckets, { recursive: true, mode: 0o700 });
  }

  async createBucket(bucket: string): Promise<void> {
    await mkdir(join(this.#buckets, bucket), { recursive: true, mode: 0o700 });
  }

  async hasBucket(bucket: string): Promise<boolean> {
    return (await stat(join(this.#buckets, bucket)).catch(() => null))?.isDirectory() ?? false;
  }

  /** Returns the etag. */
  async put(bucket: string, key: string, content: Buffer, headers: Record<string, string>): Promise<string> {
    const etag = `"${createHash('md5').update(content).digest('hex')}"`;
    const unfinished = join(this.#unfinished, randomUUID());
    await writeFile(
      unfinished,
      Buffer.concat([Buffer.from(`${JSON.stringify({ etag, headers })}\n`), content]),
      {
        mode: 0o600,
      },
    );
    const path = this.#pathOf(bucket, key);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await rename(unfinished, path);
    return etag;
  }

  async get(bucket: string, key: string): Promise<(StoredFile & { content: Buffer }) | null> {
    return readObject(this.#pathOf(bucket, key));
  }

  /** Its folders stay: removing them would race with an object that is just being put there. */
  async delete(bucket: string, key: string): Promise<void> {
    await rm(this.#pathOf(bucket, key), { force: true });
  }

  /** In the order of S3: by the bytes of the keys. At most `limit`, only those after `after`. */
  async list(
    bucket: string,
    prefix: string,
    after: string,
    limit: number,
  ): Promise<{ files: ListedFile[]; more: boolean }> {
    const root = join(this.#buckets, bucket);
    const entries = await readdir(root, { withFileTypes: true, recursive: true });
    const keys = entries
      .filter((entry) => entry.isFile())
      .map((entry) => keyOf(join(entry.parentPath, entry.name).slice(root.length + 1)))
      .filter((key) => key.startsWith(prefix) && Buffer.compare(Buffer.from(key), Buffer.from(after)) > 0)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

    const files: ListedFile[] = [];
    for (const key of keys.slice(0, limit)) {
      const file = await readObject(this.#pathOf(bucket, key));
      if (file) files.push({ key, etag: file.etag, sizeBytes: file.sizeBytes, modifiedAt: file.modifiedAt });
    }
    return { files, more: keys.length > limit };
  }

  #pathOf(bucket: string, key: string): string {
    const parts = key.split('/').map(encodePart);
    parts.push(`=${parts.pop()}`);
    return join(this.#buckets, bucket, ...parts);
  }
}

async function readObject(path: string): Promise<(StoredFile & { content: Buffer }) | null> {
  try {
    const [file, { mtime }] = await Promise.all([readFile(path), stat(path)]);
    const end = file.indexOf('\n');
    const { etag, headers } = JSON.parse(file.toString('utf8', 0, end)) as Pick<
      StoredFile,
      'etag' | 'headers'
    >;
    const content = file.subarray(end + 1);
    return { etag, headers, content, sizeBytes: content.length, modifiedAt: mtime };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** Names that mean something to the file system, and an empty one, become names that do not. */
function encodePart(part: string): string {
  return /^\.*$/.test(part) ? `%${part.replaceAll('.', '%2E')}` : encodeURIComponent(part);
}

function keyOf(path: string): string {
  return path
    .split(/[\\/]/)
    .map((part) => part.replace(/^=/, ''))
    .map((part) => (part.startsWith('%%') || part === '%' ? part.slice(1) : part))
    .map(decodeURIComponent)
    .join('/');
}
