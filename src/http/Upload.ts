import { createHash, randomUUID } from 'node:crypto';
import { close, openSync, read, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { RawUpload } from './route.ts';

const READ_BYTES = 64 * 1024;

const readSome = promisify(read);

/** A body that arrived, in a file that nobody else can see and that is gone with its descriptor. */
export class Upload implements RawUpload {
  readonly contentType: string;
  readonly size: number;
  readonly #fd: number;
  readonly #onClose: () => void;
  #isClosed = false;

  constructor(contentType: string, size: number, fd: number, onClose: () => void) {
    this.contentType = contentType;
    this.size = size;
    this.#fd = fd;
    this.#onClose = onClose;
  }

  /** All of it, in memory. */
  async bytes(): Promise<Buffer> {
    const all = Buffer.alloc(this.size);
    for (let at = 0; at < this.size; ) {
      const { bytesRead } = await readSome(this.#fd, all, at, this.size - at, at);
      if (bytesRead === 0) throw new Error('The file of an upload is shorter than it was.');
      at += bytesRead;
    }
    return all;
  }

  /** SHA-256. */
  async digest(): Promise<Buffer> {
    const hash = createHash('sha256');
    const piece = Buffer.alloc(READ_BYTES);
    for (let at = 0; at < this.size; ) {
      const { bytesRead } = await readSome(this.#fd, piece, 0, READ_BYTES, at);
      if (bytesRead === 0) throw new Error('The file of an upload is shorter than it was.');
      hash.update(piece.subarray(0, bytesRead));
      at += bytesRead;
    }
    return hash.digest();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeUnnamed(this.#fd);
    this.#onClose();
  }
}

/** A file without a name: whatever becomes of this process, it leaves nothing behind. */
export function openUnnamed(): number {
  const path = join(tmpdir(), `duet-upload-${randomUUID()}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return fd;
}

export function closeUnnamed(fd: number): void {
  close(fd, () => {
    // Nobody can do anything about a file that cannot be closed.
  });
}
