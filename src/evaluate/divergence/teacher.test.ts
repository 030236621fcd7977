import { describe, expect, it } from 'vitest';
import { createRandom } from '../../random.ts';
import { mostProbable, type Teacher, teacherGradient } from './teacher.ts';

const random = createRandom(3);
const VOCABULARY = 23;
const drawLogits = () => Float64Array.from({ length: VOCABULARY }, () => 2 * random.normal());
const softmax = (logits: ArrayLike<number>) => {
  const powers = Float64Array.from(logits, Math.exp);
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
};

/** KL of the teacher's `top` most probable tokens and the rest as one, written out. */
function divergence(dense: Float64Array, other: Float64Array, top: number): number {
  const order = [...dense.keys()].sort((a, b) => (dense[b] ?? 0) - (dense[a] ?? 0));
  const parts = (values: Float64Array) => [
    ...order.slice(0, top).map((token) => values[token] ?? 0),
    ...(top < VOCABULARY ? [order.slice(top).reduce((sum, token) => sum + (values[token] ?? 0), 0)] : []),
  ];
  const [p, q] = [parts(dense), parts(other)];
  return p.reduce((sum, value, part) => sum + value * Math.log(value / (q[part] ?? 0)), 0);
}

function teacherOf(dense: Float64Array, top: number): Teacher {
  const values = Float32Array.from(dense);
  const tokens = Int32Array.from(mostProbable(values, top));
  return {
    windows: [[0, 1]],
    top,
    tokens,
    logProbabilities: Float32Array.from(tokens, (token) => Math.log(dense[token] ?? 0)),
  };
}

describe('a teacher', () => {
  it.each([1, 5, VOCABULARY])('with %i tokens kept gives KL, and its gradient by finite differences', (top) => {
    const dense = softmax(drawLogits());
    const logits = drawLogits();
    const gradient = Float32Array.from(softmax(logits));
    const found = teacherGradient(teacherOf(dense, top), 0, gradient, 0.5);
    expect(found).toBeCloseTo(divergence(dense, softmax(logits), top), 4);
    const step = 1e-4;
    for (let token = 0; token < VOCABULARY; token++) {
      const at = (change: number) =>
        divergence(dense, softmax(logits.map((value, index) => value + (index === token ? change : 0))), top);
      expect(gradient[token]).toBeCloseTo((0.5 * (at(step) - at(-step))) / (2 * step), 5);
    }
  });
});

describe('the most probable tokens', () => {
  it('are the largest values, the earlier of equal ones first', () => {
    for (let round = 0; round < 50; round++) {
      const values = Float32Array.from({ length: 1 + random.integer(40) }, () => random.integer(12));
      const count = 1 + random.integer(values.length);
      const expected = [...values.keys()].sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b).slice(0, count);
      expect(mostProbable(values, count)).toEqual(expected);
    }
  });
});
