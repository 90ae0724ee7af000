/** The migrations in order. Released ones are never changed; a new one goes to the end. */
import { Migration0001House } from './migrations/0001House.ts';

export const migrations = [Migration0001House];
