import { expect, test } from 'vitest';
import { type Linked, LinkedSet } from '../../../src/platform/LinkedSet.ts';

interface Named extends Linked<Named> {
  name: string;
}

const named = (name: string): Named => ({ name, older: undefined, newer: undefined });
const namesIn = (set: LinkedSet<Named>) => [...set].map(({ name }) => name).join('');

function filled() {
  const items = [...'abcd'].map(named);
  const set = new LinkedSet<Named>();
  for (const item of items) set.add(item);
  return { set, items: items as [Named, Named, Named, Named] };
}

test('keeps the order of arrival, whoever leaves', () => {
  const { set, items } = filled();
  const [a, b, c, d] = items;
  expect([namesIn(set), set.size, set.oldest]).toEqual(['abcd', 4, a]);
  set.delete(b);
  expect([namesIn(set), set.size]).toEqual(['acd', 3]);
  set.delete(a);
  expect([namesIn(set), set.oldest]).toEqual(['cd', c]);
  set.delete(d);
  set.add(a);
  expect([namesIn(set), set.size]).toEqual(['ca', 2]);
  set.delete(c);
  set.delete(a);
  expect([namesIn(set), set.size, set.oldest]).toEqual(['', 0, undefined]);
  set.add(b);
  expect(namesIn(set)).toBe('b');
});

test('forgets nothing twice', () => {
  const { set, items } = filled();
  for (let i = 0; i < 2; i++) for (const item of items.slice(0, 3)) set.delete(item);
  expect([namesIn(set), set.size]).toEqual(['d', 1]);
});

test('whoever has left points to nobody', () => {
  const { set, items } = filled();
  for (const item of items) set.delete(item);
  expect(items.flatMap(({ older, newer }) => [older, newer])).toEqual(new Array(8).fill(undefined));
});

test('goes through those that are there when it begins, though each leaves and others come', () => {
  const { set } = filled();
  let seen = '';
  for (const item of set) {
    seen += item.name;
    set.delete(item);
    if (set.size < 3) set.add(named('x'));
  }
  expect(seen).toBe('abcd');
});
