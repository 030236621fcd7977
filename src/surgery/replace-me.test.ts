import { expect, test } from 'vitest';
import { DeviceError, MismatchError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { leastSpan, mapped, spanMap } from './replace-me.ts';
import { gauss } from './testing/gauss.ts';

const random = seededRandom(31);
const draw = (rows: number, columns: number) =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => random() - 0.5));
const [TOKENS, WIDTH] = [30, 4];
const added = draw(TOKENS, WIDTH);
const lost = draw(TOKENS, WIDTH);
const sums = (a: number[][], b: number[][]) =>
  Float64Array.from({ length: WIDTH ** 2 }, (_, at) =>
    a.reduce((sum, row, t) => sum + (row[Math.floor(at / WIDTH)] ?? 0) * (b[t]?.[at % WIDTH] ?? 0), 0),
  );
const statistics = { products: sums(added, added), crossing: sums(added, lost) };

test('the map is the least-squares one from what the block adds to that and what was lost', () => {
  const map = spanMap(statistics, WIDTH);
  const ridge = (1e-3 * [0, 1, 2, 3].reduce((sum, i) => sum + (statistics.products[i * 5] ?? 0), 0)) / WIDTH;
  // Column by column: the rows of M and, for the ridge, rows of sqrt(r) 1, against targets, by the normal equations of all of them.
  const rows = [...added, ...[0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? Math.sqrt(ridge) : 0)))];
  for (let column = 0; column < WIDTH; column++) {
    const targets = rows.map((row, t) => (row[column] ?? 0) + (lost[t]?.[column] ?? 0));
    const normal = [0, 1, 2, 3].map((i) =>
      [0, 1, 2, 3].map((j) => rows.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0)),
    );
    const right = [0, 1, 2, 3].map((i) => rows.reduce((sum, row, t) => sum + (row[i] ?? 0) * (targets[t] ?? 0), 0));
    gauss(normal, right).forEach((value, i) => {
      expect((map[column * WIDTH + i] ?? 0) + (i === column ? 1 : 0)).toBeCloseTo(value, 8);
    });
  }
});

test('weights take the map, so that their output is the mapped one', () => {
  const map = spanMap(statistics, WIDTH);
  const weight = draw(WIDTH, 3);
  const x = [0.3, -1, 2];
  const output = (w: number[][]) => w.map((row) => row.reduce((sum, value, j) => sum + value * (x[j] ?? 0), 0));
  const flat = mapped(map, Float32Array.from(weight.flat()), WIDTH);
  const changed = [0, 1, 2, 3].map((i) => [...flat.subarray(i * 3, i * 3 + 3)]);
  const before = output(weight);
  output(changed).forEach((value, i) => {
    const wanted = (before[i] ?? 0) + before.reduce((sum, each, k) => sum + (map[i * WIDTH + k] ?? 0) * each, 0);
    expect(value).toBeCloseTo(wanted, 5);
  });
});

test('a block that adds nothing gets no map, and damaged sums are refused', () => {
  const zero = new Float64Array(WIDTH ** 2);
  expect([...spanMap({ products: zero, crossing: zero }, WIDTH)]).toEqual([...zero]);
  expect(() => spanMap({ products: zero.map(() => Number.NaN), crossing: zero }, WIDTH)).toThrow(DeviceError);
  expect(() => spanMap(statistics, 3)).toThrow(MismatchError);
});

test('the span after the block where least changes goes', () => {
  expect(leastSpan([0.5, 0.9, 0.7])).toBe(2);
  expect(leastSpan([0.5])).toBe(1);
});
