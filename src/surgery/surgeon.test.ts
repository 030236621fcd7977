import { describe, expect, it } from 'vitest';
import { MismatchError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { surgeonImportance } from './surgeon.ts';
import { gauss } from './testing/gauss.ts';

const random = seededRandom(5);
const matrix = (rows: number, columns: number) =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => random() - 0.5));
type Matrix = number[][];
const multiply = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => (b[0] ?? []).map((_, j) => row.reduce((sum, value, k) => sum + value * (b[k]?.[j] ?? 0), 0)));
const transposed = (a: Matrix): Matrix => (a[0] ?? []).map((_, j) => a.map((row) => row[j] ?? 0));
const pick = (a: Matrix, rows: readonly number[], columns: readonly number[]): Matrix =>
  rows.map((i) => columns.map((j) => a[i]?.[j] ?? 0));
const trace = (a: Matrix) => a.reduce((sum, row, i) => sum + (row[i] ?? 0), 0);
const plusShare = (a: Matrix, share: number): Matrix =>
  a.map((row, i) => row.map((value, j) => (i === j ? value + (share * trace(a)) / a.length : value)));

const OUTPUTS = 4;
const INPUTS = 9;
const inputRows = matrix(INPUTS, 30);
const products = multiply(inputRows, transposed(inputRows));
const gradientRows = matrix(OUTPUTS, 20);
const gradients = multiply(gradientRows, transposed(gradientRows));
const weight = matrix(OUTPUTS, INPUTS);

/**
 * The definition, without any inverse of A: the columns that stay, R, make up for those that go, S, by W_R + W_S A_SR A_RR^-1, the least of 1/2 tr(D^T G D A) over all changes D that end
 * with W_S = 0; that least is the cost. One removal after the other, each from what the one before left.
 */
function bruteForce(groups: readonly (readonly number[])[], perRound: number): number[] {
  const curvature = plusShare(products, 0.01);
  const outer = plusShare(gradients, 1e-6);
  const importance = groups.map(() => 0);
  let left = groups.map((_, group) => group);
  let present = Array.from({ length: INPUTS }, (_, column) => column);
  let current = weight;
  let highest = 0;
  const without = (gone: readonly number[]) => {
    const staying = present.filter((column) => !gone.includes(column));
    const rows = Array.from({ length: OUTPUTS }, (_, row) => row);
    const leaving = pick(current, rows, gone);
    const across = pick(curvature, gone, staying);
    // Each row: A_RR x = A_RS w_S.
    const change = leaving.map((row) => gauss(pick(curvature, staying, staying), multiply([row], across)[0] ?? []));
    const next = current.map((row, i) =>
      row.map((value, j) => (gone.includes(j) ? 0 : value + (change[i]?.[staying.indexOf(j)] ?? 0))),
    );
    const difference = next.map((row, i) => row.map((value, j) => value - (current[i]?.[j] ?? 0)));
    const cost = trace(multiply(multiply(multiply(transposed(difference), outer), difference), curvature)) / 2;
    return { next, cost };
  };
  while (left.length > 0) {
    const costs = new Map(left.map((group) => [group, without(groups[group] ?? []).cost]));
    const cheapest = [...left].sort((a, b) => (costs.get(a) ?? 0) - (costs.get(b) ?? 0)).slice(0, perRound);
    for (const group of cheapest) {
      highest = Math.max(highest, costs.get(group) ?? 0);
      importance[group] = highest;
    }
    const gone = cheapest.flatMap((group) => groups[group] ?? []);
    current = without(gone).next;
    present = present.filter((column) => !gone.includes(column));
    left = left.filter((group) => !cheapest.includes(group));
  }
  return importance;
}

const found = (groupOfChannel: readonly number[], groups: number) =>
  surgeonImportance(
    {
      outputs: OUTPUTS,
      inputs: INPUTS,
      products: Float64Array.from(products.flat()),
      gradients: Float64Array.from(gradients.flat()),
    },
    Float32Array.from(weight.flat()),
    Int32Array.from(groupOfChannel),
    groups,
  );

const close = (values: Float64Array, wanted: readonly number[]) => {
  expect(values.length).toBe(wanted.length);
  for (const [index, value] of values.entries())
    expect(Math.abs(value - (wanted[index] ?? 0)) / (wanted[index] ?? 1), `group ${index}`).toBeLessThan(1e-5);
};

describe('surgeonImportance', () => {
  it('is what removing each column costs when the others make up for it, one after the other', () => {
    const columns = Array.from({ length: INPUTS }, (_, column) => column);
    close(
      found(columns, INPUTS),
      bruteForce(
        columns.map((column) => [column]),
        1,
      ),
    );
  });

  it('is the cost of whole blocks of columns for groups of several', () => {
    close(
      found([0, 1, 2, 0, 1, 2, 0, 1, 2], 3),
      bruteForce(
        [
          [0, 3, 6],
          [1, 4, 7],
          [2, 5, 8],
        ],
        1,
      ),
    );
  });

  it('leaves columns outside the groups where they are', () => {
    close(found([0, -1, 1, -1, -1, -1, -1, -1, -1], 2), bruteForce([[0], [2]], 1));
  });

  it('sees that a column which another one repeats costs next to nothing', () => {
    const one = [1, 1, 0.2];
    const repeated = surgeonImportance(
      {
        outputs: 1,
        inputs: 3,
        products: Float64Array.from(one.flatMap((a, i) => one.map((b, j) => a * b + (i === j && i === 2 ? 1 : 0)))),
        gradients: Float64Array.of(1),
      },
      Float32Array.of(1, 1, 1),
      Int32Array.of(0, 1, 2),
      3,
    );
    expect(Math.min(repeated[0] ?? 0, repeated[1] ?? 0)).toBeLessThan(0.02 * (repeated[2] ?? 0));
    expect(Math.max(repeated[0] ?? 0, repeated[1] ?? 0)).toBeGreaterThan(repeated[2] ?? 0);
  });

  it('refuses sizes that disagree', () => {
    expect(() => found([0, 1], 2)).toThrow(MismatchError);
  });
});
