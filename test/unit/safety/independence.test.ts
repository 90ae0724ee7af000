import { describe, expect, test } from 'vitest';
import { countIndependent } from '../../../src/safety/independence.ts';

const session = (reporterId: string, deviceId: string | null, network: string | null) => ({
  reporterId,
  deviceId,
  network,
});
const tenOf = (deviceOf: (nth: number) => string, networkOf: (nth: number) => string) =>
  Array.from({ length: 10 }, (_, nth) => session(`r${nth}`, deviceOf(nth), networkOf(nth)));

describe('independent reporters', () => {
  test('ten accounts with nothing in common are ten', () => {
    expect(
      countIndependent(
        tenOf(
          (n) => `d${n}`,
          (n) => `n${n}`,
        ),
      ),
    ).toBe(10);
    expect(countIndependent([])).toBe(0);
  });

  test('ten accounts of one device are one, and so are ten of one network', () => {
    expect(
      countIndependent(
        tenOf(
          () => 'd',
          (n) => `n${n}`,
        ),
      ),
    ).toBe(1);
    expect(
      countIndependent(
        tenOf(
          (n) => `d${n}`,
          () => 'n',
        ),
      ),
    ).toBe(1);
  });

  test('what connects may be a third one, or another sign-in', () => {
    const chain = [session('a', 'd1', 'n1'), session('b', 'd1', 'n2'), session('c', 'd3', 'n2')];
    expect(countIndependent(chain)).toBe(1);
    expect(countIndependent([...chain, session('d', 'd4', 'n4')])).toBe(2);
    expect(countIndependent([...chain, session('d', 'd4', 'n4'), session('d', 'd3', 'n5')])).toBe(1);
  });

  test('who signed in twice in the same place is one', () => {
    const twice = [session('a', 'd', 'n'), session('a', 'd', 'n'), session('a', 'd', 'n')];
    expect(countIndependent(twice)).toBe(1);
    expect(countIndependent([...twice, session('b', 'd', 'n'), session('b', 'd', 'n')])).toBe(1);
    expect(countIndependent([...twice, session('b', 'e', 'm')])).toBe(2);
  });

  test('what is not known connects nobody, and a device is no network', () => {
    expect(countIndependent([session('a', null, 'unknown'), session('b', null, 'unknown')])).toBe(2);
    expect(countIndependent([session('a', null, null), session('b', null, null)])).toBe(2);
    expect(countIndependent([session('a', 'x', null), session('b', null, 'x')])).toBe(2);
  });
});
