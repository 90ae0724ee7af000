import { globSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { Matches } from '../../../web/sdk/Matches.ts';
import { MatchSession } from '../../../web/sdk/MatchSession.ts';
import { People } from '../../../web/sdk/People.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const docs = readFileSync(resolve(ROOT, 'docs/sdk.md'), 'utf8');

/** What stands in backticks in the row of a table that begins with `name`. */
function rowOf(name: string): string[] {
  const row = docs.split('\n').find((line) => line.startsWith(`| \`${name}`));
  return [...row!.slice(name.length + 4).matchAll(/`(\w+)`/g)].map(([, word]) => word!);
}

const methodsOf = (noun: { prototype: object }) =>
  Object.getOwnPropertyNames(noun.prototype).filter((name) => name !== 'constructor');

test('docs/sdk.md names what there is to do with people and matches', () => {
  expect(rowOf('people').sort()).toEqual(methodsOf(People).sort());
  expect(rowOf('matches').sort()).toEqual(methodsOf(Matches).sort());
  expect(rowOf('joinMatch')).toEqual(expect.arrayContaining(methodsOf(MatchSession)));
});

test('docs/sdk.md names every data-testid of the page, and no other', () => {
  const pages = globSync('web/page/**/*.tsx', { cwd: ROOT }).map((file) =>
    readFileSync(resolve(ROOT, file), 'utf8'),
  );
  const ids = pages.flatMap((text) =>
    [...text.matchAll(/(?:data-testid|testId) ?[=:][^\n]*?["'`]([a-z][^"'`]*)["'`]/g)].map(([, id]) => id!),
  );
  // Of `call-${kind}-yes` and the like each that the documents name is one.
  const patterns = [...new Set(ids)].map((id) => new RegExp(`^${id.replaceAll(/\$\{[^}]*\}/g, '.+')}$`));
  expect(patterns.length).toBeGreaterThan(50);
  const table = docs.slice(docs.indexOf('`data-testid`s:'), docs.indexOf('## Building')).split('\n').slice(1);
  const named = [...table.join('\n').matchAll(/`([a-z][\w<>-]*)`/g)]
    .map(([, id]) => id!)
    .filter((id) => !id.startsWith('data-'));
  expect(named.filter((id) => !patterns.some((pattern) => pattern.test(id)))).toEqual([]);
  expect(patterns.filter((pattern) => !named.some((id) => pattern.test(id))).map(String)).toEqual([]);
});
