import { describe, expect, test } from 'vitest';
import { dequantiseGroups } from '../checkpoint/group-quantised.ts';
import { MismatchError, UsageError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { AdamW, clipGradients, cosineRate } from './adamw.ts';
import { type Adapter, createAdapter, mergeIntoGroups, mergeIntoWeight } from './adapter.ts';
import { type GroupQuantised, quantiseGroups } from './quantise-groups.ts';

const random = seededRandom(17);
const randomWeight = (size: number) => Float32Array.from({ length: size }, () => 2 * random() - 1);
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((largest, value, index) => Math.max(largest, Math.abs(value - (b[index] ?? Number.NaN))), 0);

describe('group-wise quantisation', () => {
  test.each([2, 3, 4, 8])(
    '%i bits: at most half a step away, minimum exact, and the same codes when repeated',
    (bits) => {
      const weight = randomWeight(6 * 64);
      const quantised = quantiseGroups(weight, 64, { bits, groupSize: 32 });
      const values = dequantiseGroups(quantised);
      for (const [index, value] of values.entries()) {
        const step = quantised.steps[Math.floor(index / 32)] ?? 0;
        expect(Math.abs(value - (weight[index] ?? 0))).toBeLessThanOrEqual(step / 2 + 1e-6);
      }
      expect(Math.max(...quantised.codes)).toBe(2 ** bits - 1);
      for (let group = 0; group < 12; group++)
        expect(quantised.minima[group]).toBe(Math.min(...weight.subarray(group * 32, (group + 1) * 32)));
      const again = quantiseGroups(values, 64, { bits, groupSize: 32 });
      expect(again.codes).toEqual(quantised.codes);
      expect(largestDifference(dequantiseGroups(again), values)).toBeLessThan(2e-7);
    },
  );

  test('weights on a grid are reproduced exactly, constant groups too', () => {
    const weight = Float32Array.from({ length: 64 }, (_, index) => (index < 32 ? -1 + 0.125 * (index % 16) : 0.7));
    const quantised = quantiseGroups(weight, 64, { bits: 4, groupSize: 32 });
    expect(dequantiseGroups(quantised)).toEqual(weight);
  });

  test('the last group of a row has the inputs that are left', () => {
    const weight = randomWeight(3 * 40);
    const quantised = quantiseGroups(weight, 40, { bits: 4, groupSize: 32 });
    expect(quantised.steps).toHaveLength(6);
    for (let row = 0; row < 3; row++)
      expect(quantised.minima[2 * row + 1]).toBe(Math.min(...weight.subarray(row * 40 + 32, (row + 1) * 40)));
    const values = dequantiseGroups(quantised);
    for (const [index, value] of values.entries()) {
      const step = quantised.steps[2 * Math.floor(index / 40) + (index % 40 < 32 ? 0 : 1)] ?? 0;
      expect(Math.abs(value - (weight[index] ?? 0))).toBeLessThanOrEqual(step / 2 + 1e-6);
    }
    expect(dequantiseGroups(quantised, { start: 1, end: 3 })).toEqual(values.slice(40));
  });

  test('refuses what it cannot do, with the remedy', () => {
    expect(() => quantiseGroups(new Float32Array(32), 32, { bits: 9, groupSize: 32 })).toThrow(UsageError);
    expect(() => quantiseGroups(Float32Array.of(1, Number.NaN), 2, { bits: 4, groupSize: 2 })).toThrow(MismatchError);
  });
});

function trainedAdapter(outputs: number, inputs: number, groupSize: number): Adapter {
  const adapter = createAdapter(outputs, inputs, { rank: 4, scale: 16, groupSize, seed: 3 });
  return { ...adapter, up: randomWeight(adapter.up.length) };
}

/** y [rows, outputs] by loops in float64: W x + s B A pool(x). */
function reference(
  input: Float32Array,
  weight: Float32Array,
  { inputs, outputs, rank, groupSize, strength, down, up }: Adapter,
): number[] {
  const at = (array: Float32Array, index: number) => array[index] ?? Number.NaN;
  return Array.from({ length: (input.length / inputs) * outputs }, (_, index) => {
    const row = Math.floor(index / outputs) * inputs;
    const output = index % outputs;
    let sum = 0;
    for (let i = 0; i < inputs; i++) sum += at(weight, output * inputs + i) * at(input, row + i);
    for (let r = 0; r < rank; r++) {
      for (let i = 0; i < inputs; i++) {
        const groups = Math.ceil(inputs / groupSize);
        const members = Math.min(groupSize, inputs - groupSize * Math.floor(i / groupSize));
        sum +=
          (strength *
            at(up, output * rank + r) *
            at(down, r * groups + Math.floor(i / groupSize)) *
            at(input, row + i)) /
          members;
      }
    }
    return sum;
  });
}

describe('adapters', () => {
  test.each([
    [2, 96],
    [4, 96],
    [8, 96],
    [4, 80],
  ])(
    'merging into the minima of %i-bit groups of %i inputs changes nothing that is computed, and keeps codes and steps',
    (bits, inputs) => {
      const outputs = 7;
      const quantised = quantiseGroups(randomWeight(outputs * inputs), inputs, { bits, groupSize: 32 });
      const adapter = trainedAdapter(outputs, inputs, 32);
      const merged = mergeIntoGroups(quantised, adapter);
      expect(merged.codes).toBe(quantised.codes);
      expect(merged.steps).toBe(quantised.steps);
      const input = randomWeight(3 * inputs);
      const nothing: Adapter = { ...adapter, up: new Float32Array(adapter.up.length) };
      const before = reference(input, dequantiseGroups(quantised), adapter);
      expect(largestDifference(reference(input, dequantiseGroups(merged), nothing), before)).toBeLessThan(2e-5);
      // Still on an N-bit grid: quantising the merged weight gives its codes again.
      const again: GroupQuantised = quantiseGroups(dequantiseGroups(merged), inputs, { bits, groupSize: 32 });
      expect(again.codes).toEqual(quantised.codes);
      expect(
        largestDifference(reference(input, mergeIntoWeight(dequantiseGroups(quantised), adapter), nothing), before),
      ).toBeLessThan(2e-5);
    },
  );

  test('a new adapter changes nothing; plain LoRA merges into full weights', () => {
    const fresh = createAdapter(4, 8, { rank: 2, scale: 16, groupSize: 1, seed: 1 });
    const weight = randomWeight(32);
    expect(mergeIntoWeight(weight, fresh)).toEqual(weight);
    expect(fresh.strength).toBe(8);
    expect(() => createAdapter(4, 8, { rank: 0, scale: 16, groupSize: 4, seed: 1 })).toThrow(UsageError);
    expect(() => mergeIntoGroups(quantiseGroups(weight, 8, { bits: 4, groupSize: 4 }), fresh)).toThrow(MismatchError);
  });
});

/** torch 2.15: AdamW(lr=0.1, weight_decay=0.01) in float64 with get_cosine_schedule_with_warmup(2 of 6 steps), gradients as below. */
const TORCH = [
  { rate: 0, parameters: [0.5, -1, 2, 0] },
  { rate: 0.05, parameters: [0.45149089972615014, -0.9495000025000002, 2.0456089760440643, -0.04999999966666632] },
  { rate: 0.1, parameters: [0.3552392878944026, -0.8485505074974999, 2.115621112155258, -0.14994999900033298] },
  {
    rate: 0.08535533905932738,
    parameters: [0.27295992902617155, -0.7624708895431757, 2.1395224184558703, -0.23517734716055813],
  },
  { rate: 0.05, parameters: [0.2244615778948748, -0.7120896565984041, 2.13103814960277, -0.2850597581536445] },
  {
    rate: 0.014644660940672627,
    parameters: [0.21012918666330802, -0.697340713274162, 2.1241025107197893, -0.29966267296162613],
  },
] as const;
const gradientAt = (step: number) => Float32Array.of(0.3 * (step + 1), -0.2, 0.05 * step - 0.1, 1.5);

describe('optimiser', () => {
  test('follows PyTorch step by step, and exactly itself after a stop', () => {
    const parameters = Float32Array.of(0.5, -1, 2, 0);
    const options = { weightDecay: 0.01 };
    let optimiser = new AdamW([parameters], options);
    const uninterrupted = Float32Array.of(0.5, -1, 2, 0);
    const whole = new AdamW([uninterrupted], options);
    for (const [step, { rate, parameters: expected }] of TORCH.entries()) {
      expect(cosineRate(step, { peak: 0.1, warmUp: 2, total: 6 })).toBeCloseTo(rate, 14);
      optimiser.update([gradientAt(step)], rate);
      whole.update([gradientAt(step)], rate);
      expect(largestDifference(parameters, expected)).toBeLessThan(1e-6);
      if (step === 2) optimiser = new AdamW([parameters], options, optimiser.state());
    }
    expect(parameters).toEqual(uninterrupted);
    expect(() => new AdamW([new Float32Array(3)], {}, optimiser.state())).toThrow(MismatchError);
    expect(() => cosineRate(0, { peak: 1, warmUp: 7, total: 6 })).toThrow(UsageError);
  });

  test('clips by the common norm of all gradients', () => {
    const gradients = [Float32Array.of(3, 0), Float32Array.of(0, 4)];
    expect(clipGradients(gradients, 1)).toBeCloseTo(5);
    expect(largestDifference(gradients[0] ?? [], [0.6, 0])).toBeLessThan(1e-6);
    expect(largestDifference(gradients[1] ?? [], [0, 0.8])).toBeLessThan(1e-6);
    expect(clipGradients(gradients, 2)).toBeCloseTo(1);
    expect(gradients[1]?.[1]).toBeCloseTo(0.8);
  });
});
