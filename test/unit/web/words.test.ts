import { expect, test } from 'vitest';
import { initial } from '../../../web/page/people/words.ts';

test('the initial of a name is a whole character', () => {
  expect([' ada', '🦊 Fox', '👩‍🚀', 'ع', ''].map(initial)).toEqual(['A', '🦊', '👩‍🚀', 'ع', '']);
});
