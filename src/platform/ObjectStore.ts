/** Files in any S3: put, get, remove, list. Bounded in time; an outage is UNAVAILABLE, never a wait. */
import {
  CreateBucketCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { DuetError } from '../errors.ts';

export interface ObjectStoreOptions {
  endpoint: string | undefined;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** How long one request may take, retry included. Default 5,000 ms. */
  timeoutMs?: number;
}

export interface StoredObject {
  key: string;
  /** Epoch milliseconds. */
  modifiedAt: number;
}

/** S3's own limit for one delete request. */
const DELETE_AT_ONCE = 1000;

export class ObjectStore {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #timeoutMs: number;

  constructor(options: ObjectStoreOptions) {
    this.#bucket = options.bucket;
    this.#timeoutMs = options.timeoutMs ?? 5_000;
    this.#client = new S3Client({
      endpoint: options.endpoint,
      region: options.region,
      credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey },
      forcePathStyle: options.endpoint !== undefined,
      maxAttempts: 2,
      // Other S3s than Amazon's do not know the newer checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: { connectionTimeout: 1_000, requestTimeout: this.#timeoutMs },
    });
  }

  /** Makes the bucket where there is none. For development; in production it exists. */
  async ensureBucket(): Promise<void> {
    try {
      await this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), this.#bounded());
    } catch {
      await this.#ask((bounded) =>
        this.#client.send(new CreateBucketCommand({ Bucket: this.#bucket }), bounded),
      );
    }
  }

  /** Resolves when the bucket answers; UNAVAILABLE otherwise. For readiness. */
  async check(): Promise<void> {
    await this.#ask((bounded) => this.#client.send(new HeadBucketCommand({ Bucket: this.#bucket }), bounded));
  }

  async put(key: string, bytes: Buffer, contentType: string): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: this.#bucket,
      Key: key,
      Body: bytes,
      ContentType: contentType,
    });
    await this.#ask((bounded) => this.#client.send(command, bounded));
  }

  /** The file, or undefined where there is none. */
  async get(key: string): Promise<Buffer | undefined> {
    return this.#ask(async (bounded) => {
      try {
        const answer = await this.#client.send(
          new GetObjectCommand({ Bucket: this.#bucket, Key: key }),
          bounded,
        );
        return Buffer.from(await answer.Body!.transformToByteArray());
      } catch (error) {
        if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound'))
          return undefined;
        throw error;
      }
    });
  }

  /** Removes files; those that do not exist count as removed. UNAVAILABLE where any was not. */
  async remove(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETE_AT_ONCE) {
      const Objects = keys.slice(from, from + DELETE_AT_ONCE).map((Key) => ({ Key }));
      const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete: { Objects, Quiet: true } });
      await this.#ask(async (bounded) => {
        const answer = await this.#client.send(command, bounded);
        // The whole is a 200 though some of them are still there.
        const [refused] = answer.Errors ?? [];
        if (refused !== undefined) throw new Error(`A file was not removed: ${refused.Code}`);
      });
    }
  }

  /** Every file under a prefix, a page at a time. */
  async *list(prefix: string): AsyncGenerator<StoredObject[]> {
    let token: string | undefined;
    do {
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        ContinuationToken: token,
      });
      const page = await this.#ask((bounded) => this.#client.send(command, bounded));
      yield (page.Contents ?? []).map((item) => ({
        key: item.Key!,
        modifiedAt: item.LastModified?.getTime() ?? 0,
      }));
      token = page.NextContinuationToken;
    } while (token !== undefined);
  }

  close(): void {
    this.#client.destroy();
  }

  #bounded(): { abortSignal: AbortSignal } {
    return { abortSignal: AbortSignal.timeout(this.#timeoutMs) };
  }

  async #ask<T>(request: (bounded: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    try {
      return await request(this.#bounded());
    } catch (error) {
      throw new DuetError('UNAVAILABLE', { cause: error });
    }
  }
}
