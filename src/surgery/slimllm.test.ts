import { describe, expect, it } from 'vitest';
import { MismatchError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import {
  type ObservedLinear,
  slimAttentionOrder,
  slimLayerShares,
  slimNeuronScores,
  slimPriorities,
} from './slimllm.ts';

const random = seededRandom(21);
const TOKENS = 50;
type Rows = number[][];
const draw = (rows: number, columns: number): Rows =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, () => random() - 0.4 + 0.05 * i));

function observed(weight: Rows, inputs: Rows): ObservedLinear {
  const width = inputs[0]?.length ?? 0;
  return {
    weight: Float32Array.from(weight.flat()),
    outputs: weight.length,
    inputs: width,
    statistics: {
      rows: inputs.length,
      sum: Float64Array.from({ length: width }, (_, j) => inputs.reduce((sum, x) => sum + (x[j] ?? 0), 0)),
      product: Float64Array.from({ length: width ** 2 }, (_, at) =>
        inputs.reduce((sum, x) => sum + (x[Math.floor(at / width)] ?? 0) * (x[at % width] ?? 0), 0),
      ),
    },
  };
}

/** Outputs [tokens, outputs] of the channels that `use` admits. */
const outputsOf = (weight: Rows, inputs: Rows, use: (channel: number) => boolean): Rows =>
  inputs.map((x) => weight.map((row) => row.reduce((sum, w, j) => sum + (use(j) ? w * (x[j] ?? 0) : 0), 0)));

/** Pearson's correlation, from the values themselves. */
function pearson(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const total = (f: (i: number) => number) => x.reduce((sum, _, i) => sum + f(i), 0);
  const dx = (i: number) => (x[i] ?? 0) - mx;
  const dy = (i: number) => (y[i] ?? 0) - my;
  return total((i) => dx(i) * dy(i)) / Math.sqrt(total((i) => dx(i) ** 2) * total((i) => dy(i) ** 2));
}

describe('SlimLLM', () => {
  it('removes the attention group without which outputs correlate best with the whole ones, then the next', () => {
    const groupOf = [0, 0, 1, 1, 2, 2, 3, 3];
    const weight = draw(5, 8);
    const inputs = draw(TOKENS, 8);
    const whole = outputsOf(weight, inputs, () => true);
    const column = (rows: Rows, k: number) => rows.map((row) => row[k] ?? 0);
    const likeness = (kept: readonly number[]) => {
      const pruned = outputsOf(weight, inputs, (j) => kept.includes(groupOf[j] ?? -1));
      return weight.reduce((sum, _, k) => sum + Math.abs(pearson(column(pruned, k), column(whole, k))), 0);
    };
    let left = [0, 1, 2, 3];
    const wanted: number[] = [];
    while (left.length > 1) {
      const without = (group: number) => likeness(left.filter((other) => other !== group));
      const next = left.reduce((best, group) => (without(group) > without(best) ? group : best));
      wanted.push(next);
      left = left.filter((group) => group !== next);
    }
    expect(slimAttentionOrder(observed(weight, inputs), Int32Array.from(groupOf), 4)).toEqual([...wanted, ...left]);
  });

  it('scores neurons by their rows, and by their columns along the principal components of the output', () => {
    // Two outputs, so that components follow from the quadratic formula.
    const [gate, up, down] = [draw(4, 3), draw(4, 3), draw(2, 4)];
    const [entering, activations] = [draw(TOKENS, 3), draw(TOKENS, 4)];
    const out = outputsOf(down, activations, () => true);
    const mean = [0, 1].map((k) => out.reduce((sum, row) => sum + (row[k] ?? 0), 0) / TOKENS);
    const covariance = (i: number, j: number) =>
      out.reduce((sum, row) => sum + ((row[i] ?? 0) - (mean[i] ?? 0)) * ((row[j] ?? 0) - (mean[j] ?? 0)), 0);
    const [a, b, d] = [covariance(0, 0), covariance(0, 1), covariance(1, 1)];
    const root = Math.sqrt(((a - d) / 2) ** 2 + b ** 2);
    const components = [(a + d) / 2 + root, (a + d) / 2 - root].map((value) => {
      const length = Math.hypot(b, value - a);
      return { vector: [b / length, (value - a) / length], counts: 1 / (1 + Math.exp(-value / ((a + d) / 2))) };
    });
    const norm = (rows: Rows, j: number) => Math.sqrt(rows.reduce((sum, row) => sum + (row[j] ?? 0) ** 2, 0));
    const wanted = [0, 1, 2, 3].map((neuron) => {
      const ofRow = (weight: Rows) => Math.hypot(...(weight[neuron] ?? []).map((w, k) => w * norm(entering, k)));
      const column = [down[0]?.[neuron] ?? 0, down[1]?.[neuron] ?? 0];
      const along = components.map(
        ({ vector, counts }) => counts * ((vector[0] ?? 0) * (column[0] ?? 0) + (vector[1] ?? 0) * (column[1] ?? 0)),
      );
      return ofRow(gate) + ofRow(up) + Math.hypot(...along) * norm(activations, neuron);
    });
    const scores = slimNeuronScores([observed(gate, entering), observed(up, entering)], observed(down, activations));
    wanted.forEach((value, neuron) => {
      expect(scores[neuron]).toBeCloseTo(value, 5);
    });
    expect(() => slimNeuronScores([observed(gate, entering)], observed(draw(2, 5), draw(TOKENS, 5)))).toThrow(
      MismatchError,
    );
  });

  it('gives layers that change little a larger share, and keeps those that change most', () => {
    const cosines = Array.from({ length: 16 }, (_, layer) => 0.9 + 0.005 * layer);
    const shares = slimLayerShares(cosines);
    expect(shares[0]).toBe(0);
    const exponentials = cosines.slice(1).map((cosine) => Math.exp(10 * cosine));
    const total = exponentials.reduce((sum, value) => sum + value, 0);
    exponentials.forEach((value, index) => {
      expect(shares[index + 1]).toBeCloseTo((15 * value) / total, 12);
    });
  });

  it('orders groups by the mean share at which they go', () => {
    expect([...slimPriorities([2, 0, 1], 2)]).toEqual([0.25, 2.5 / 6, 0.5 / 6]);
    expect(Math.min(...slimPriorities([1, 0], 0))).toBeGreaterThan(1e5);
  });
});
