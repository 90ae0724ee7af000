/**
 * What personal texts are sealed and found by at rest. Two secrets of the database's own do it, made at its first start
 * and kept in it under `DATA_KEY` only: a dump without that key has nothing to read. To rotate `DATA_KEY` is to put the
 * two under another key, which takes a moment, whatever the database holds.
 */
import { createHmac } from 'node:crypto';
import { ConfigError } from '../config.ts';
import type { Database } from '../db/Database.ts';
import { type Sql, sql } from '../db/sql.ts';
import { newSecret } from '../ids.ts';
import type { Log } from '../log.ts';
import { deriveKey, deriveKeys, type Secrets, seal, unseal } from './keys.ts';

declare const STORED: unique symbol;

/** Text as the database has it: sealed, or as it was written before it was. `DataKeys.open` makes words of it. */
export interface StoredText {
  readonly [STORED]: never;
}

/** What is sealed; each has a key of its own, so that what is of one passes for no other. */
export type Sealable = 'email' | 'push' | 'report';

export interface DataKeysOptions {
  db: Sql;
  /** `DATA_KEY`, and the one before it while a rotation lasts. */
  secrets: Secrets;
  log: Log;
}

type Name = 'seals' | 'tags' | 'next';

interface OpenedSecrets {
  seals: string;
  tags: string;
  /** While everything is sealed anew: what with. */
  next?: string | undefined;
}

const WRAPPING = 'data keys';

const SEALED = /^s1:([a-z]+):([\w-]{38,})$/;

const readKeys = sql<{ name: Name; wrapped: Buffer }>(
  'data-keys-read',
  'select name, wrapped from data_keys',
);
const insertKey = sql(
  'data-keys-insert',
  'insert into data_keys (name, wrapped) values ($1, $2) on conflict (name) do nothing',
);
const rewrapKey = sql(
  'data-keys-rewrap',
  'update data_keys set wrapped = $2, wrapped_at = now() where name = $1 and wrapped = $3',
);
const deleteSeals = sql('data-keys-delete', `delete from data_keys where name = 'seals'`);
const promoteNext = sql('data-keys-promote', `update data_keys set name = 'seals' where name = 'next'`);
const hasPeople = sql<{ found: boolean }>('data-keys-people', 'select exists (select from users) as found');

export class DataKeys {
  /** What other tags at rest are made with; no rotation changes it. */
  readonly tagSecret: string;
  readonly #sealSecret: string;
  readonly #keys = new Map<string, Buffer>();

  private constructor(secrets: { seals: string; tags: string }) {
    this.#sealSecret = secrets.seals;
    this.tagSecret = secrets.tags;
  }

  /** Reads the secrets, makes them at the first start, and puts them under the current key. Throws `ConfigError`. */
  static async open(options: DataKeysOptions): Promise<DataKeys> {
    const { next, ...secrets } = await readSecrets(options);
    if (next !== undefined) {
      throw new ConfigError([
        'The data is being sealed anew: src/resealData.ts must end first, or go on where it was',
      ]);
    }
    return new DataKeys(secrets);
  }

  /** The keys that texts are sealed with, and new ones; `finish` when nothing is sealed with the former any more. */
  static async renew(
    options: DataKeysOptions & { db: Database },
  ): Promise<{ from: DataKeys; to: DataKeys; finish: () => Promise<void> }> {
    const { db, secrets } = options;
    await readSecrets(options);
    await db.query(insertKey, ['next', seal(deriveKey(secrets.current, WRAPPING), newSecret(32))]);
    const { seals, tags, next } = await readSecrets(options);
    const finish = () =>
      db.transaction(async (tx) => {
        await tx.query(deleteSeals);
        await tx.query(promoteNext);
      });
    return { from: new DataKeys({ seals, tags }), to: new DataKeys({ seals: next!, tags }), finish };
  }

  /** A text as it is to be stored. */
  seal(what: Sealable, text: string): string {
    return `s1:${what}:${seal(this.#key(what), text).toString('base64url')}`;
  }

  /** The words of a stored text. Throws when it was changed. */
  open(stored: StoredText): string {
    return this.openText(stored as unknown as string);
  }

  /** The same for any text: one that is not sealed is itself. */
  openText(text: string): string {
    const [, what, sealed] = SEALED.exec(text) ?? [];
    if (what === undefined) return text;
    const opened = unseal(this.#key(what), Buffer.from(sealed!, 'base64url'));
    if (opened === undefined) throw new Error(`A sealed ${what} cannot be opened`);
    return opened;
  }

  /** Whether a sealed text was sealed with these keys. */
  opens(text: string): boolean {
    const [, what, sealed] = SEALED.exec(text) ?? [];
    return what !== undefined && unseal(this.#key(what), Buffer.from(sealed!, 'base64url')) !== undefined;
  }

  /** What a sealed text is found by: equal texts have equal ones. */
  tag(what: Sealable, text: string): string {
    const key = this.#keyOf(`tag ${what}`, this.tagSecret);
    return `k1:${createHmac('sha256', key).update(text).digest('base64url')}`;
  }

  #key(what: string): Buffer {
    return this.#keyOf(`seal ${what}`, this.#sealSecret);
  }

  #keyOf(purpose: string, secret: string): Buffer {
    const known = this.#keys.get(purpose);
    if (known !== undefined) return known;
    const key = deriveKey(secret, purpose);
    this.#keys.set(purpose, key);
    return key;
  }
}

async function readSecrets({ db, secrets, log }: DataKeysOptions): Promise<OpenedSecrets> {
  const wrapping = deriveKeys(secrets, WRAPPING);
  let rows = await db.query(readKeys);
  if (rows.length < 2) {
    // A database from before there were secrets of its own has tags that were made with DATA_KEY itself.
    const [people] = await db.query(hasPeople);
    const tags = people!.found ? (secrets.previous ?? secrets.current) : newSecret(32);
    // Several processes may start at once: the first one's count.
    await db.query(insertKey, ['seals', seal(wrapping[0]!, newSecret(32))]);
    await db.query(insertKey, ['tags', seal(wrapping[0]!, tags)]);
    rows = await db.query(readKeys);
  }
  const opened: Partial<Record<Name, string>> = {};
  for (const { name, wrapped } of rows) {
    const current = unseal(wrapping[0]!, wrapped);
    const text = current ?? (wrapping[1] === undefined ? undefined : unseal(wrapping[1], wrapped));
    if (text === undefined) {
      throw new ConfigError([
        'DATA_KEY: is not the one that this database was sealed with, nor is DATA_KEY_PREVIOUS (where neither is set: .data/secrets.json)',
      ]);
    }
    if (current === undefined) {
      await db.query(rewrapKey, [name, seal(wrapping[0]!, text), wrapped]);
      log.info({ name }, 'A key of the database is under the new DATA_KEY');
    }
    opened[name] = text;
  }
  return opened as OpenedSecrets;
}
