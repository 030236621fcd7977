import { expect, test } from 'vitest';
import type { KeyValueCache } from './cache.ts';
import { CacheShelf } from './cache-shelf.ts';

/** A shelf of caches that only tell when they are made and disposed. */
function observed() {
  const made: number[] = [];
  const live = new Set<number>();
  const shelf = new CacheShelf((capacity) => {
    const id = made.push(capacity);
    live.add(id);
    const cache: KeyValueCache = {
      cutsFree: true,
      feeds: () => ({}),
      targets: () => ({}),
      advance: () => undefined,
      mark: () => undefined,
      rewind: () => undefined,
      [Symbol.dispose]: () => void live.delete(id),
    };
    return cache;
  });
  return { shelf, made, live };
}

test('the next sequence gets the cache of the last where it is long enough and not far too long', () => {
  const { shelf, made, live } = observed();
  for (const capacity of [100, 80, 50, 100, 101, 40]) shelf.take(capacity)[Symbol.dispose]();
  expect(made).toEqual([100, 101, 40]);
  expect(live.size).toBe(1);
  shelf[Symbol.dispose]();
  expect(live.size).toBe(0);
});

test('two sequences at once have caches of their own, and none is left when the decoder goes before them', () => {
  const { shelf, made, live } = observed();
  const [first, second] = [shelf.take(10), shelf.take(10)];
  expect(made).toEqual([10, 10]);
  second[Symbol.dispose]();
  second[Symbol.dispose]();
  expect(live.size).toBe(2);
  shelf[Symbol.dispose]();
  expect(live.size).toBe(1);
  first[Symbol.dispose]();
  expect(live.size).toBe(0);
});
