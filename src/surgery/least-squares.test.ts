import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeviceError, MismatchError, UsageError } from '../errors.ts';
import { randomScores } from '../plan/methods/random.ts';
import { biasCompensation } from './bias.ts';
import { cholesky, solveInPlace } from './cholesky.ts';
import { reconstruct } from './least-squares.ts';
import { gauss } from './testing/gauss.ts';

/** Numbers in (-1, 1). */
const numbers = (count: number, seed: number) => Float64Array.from(randomScores(count, seed), (u) => 2 * u - 1);

/** X X^T of X [channels, samples]. */
function products(x: Float64Array, channels: number, samples: number): Float64Array {
  const result = new Float64Array(channels * channels);
  for (let i = 0; i < channels; i++) {
    for (let j = 0; j < channels; j++) {
      for (let k = 0; k < samples; k++)
        result[i * channels + j] =
          (result[i * channels + j] ?? 0) + (x[i * samples + k] ?? 0) * (x[j * samples + k] ?? 0);
    }
  }
  return result;
}

/** |W_S X_S - W X|^2 by multiplying everything out. */
function squaredError(
  weight: ArrayLike<number>,
  kept: readonly number[],
  dense: Float32Array,
  x: Float64Array,
  outputs: number,
  inputs: number,
  samples: number,
): number {
  let total = 0;
  for (let row = 0; row < outputs; row++) {
    for (let k = 0; k < samples; k++) {
      let value = 0;
      for (let channel = 0; channel < inputs; channel++)
        value -= (dense[row * inputs + channel] ?? 0) * (x[channel * samples + k] ?? 0);
      kept.forEach((channel, i) => {
        value += (weight[row * kept.length + i] ?? 0) * (x[channel * samples + k] ?? 0);
      });
      total += value * value;
    }
  }
  return total;
}

describe('cholesky', () => {
  it('factors A = L L^T at sizes around the block and solves with it', () => {
    for (const size of [1, 2, 5, 63, 64, 65, 130, 200]) {
      const matrix = products(numbers(size * (size + 8), size), size, size + 8);
      const factor = cholesky(matrix, size);
      if (!factor) throw new Error(`size ${size} was not factored`);
      const again = products(factor, size, size);
      matrix.forEach((value, i) => {
        expect(Math.abs((again[i] ?? 0) - value), `size ${size}`).toBeLessThan(1e-10 * size);
      });
      for (let i = 0; i < size; i++) for (let j = i + 1; j < size; j++) expect(factor[i * size + j]).toBe(0);

      const count = 3;
      const right = numbers(count * size, 7);
      const solution = right.slice();
      solveInPlace(factor, size, solution, count);
      for (let row = 0; row < count; row++) {
        for (let i = 0; i < size; i++) {
          let value = 0;
          for (let j = 0; j < size; j++) value += (matrix[i * size + j] ?? 0) * (solution[row * size + j] ?? 0);
          expect(value, `size ${size}`).toBeCloseTo(right[row * size + i] ?? 0, 6);
        }
      }
    }
  });

  it('says that an indefinite or singular matrix has no factor', () => {
    expect(cholesky(Float64Array.of(1, 2, 2, 1), 2)).toBeUndefined();
    expect(cholesky(Float64Array.of(1, 1, 1, 1), 2)).toBeUndefined();
    expect(cholesky(Float64Array.of(Number.NaN), 1)).toBeUndefined();
    expect(cholesky(products(numbers(80 * 40, 3), 80, 40), 80)).toBeUndefined();
  });
});

describe('least-squares reconstruction', () => {
  it('is the minimiser: the normal equations solved by Gauss elimination give the same', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 14 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(1e-3, 0.1, 3),
        fc.integer({ min: 0, max: 1e6 }),
        (inputs, outputs, samples, lambda, seed) => {
          const x = numbers(inputs * samples, seed);
          const c = products(x, inputs, samples);
          const weight = Float32Array.from(numbers(outputs * inputs, seed + 1));
          const kept = Array.from({ length: inputs }, (_, i) => i).filter(
            (i) => i === 0 || (randomScores(inputs, seed + 2)[i] ?? 0) < 0.6,
          );
          const ridge = (lambda * kept.reduce((sum, i) => sum + (c[i * inputs + i] ?? 0), 0)) / kept.length;
          const matrix = kept.map((i) => kept.map((j) => (c[i * inputs + j] ?? 0) + (i === j ? ridge : 0)));
          const found = reconstruct(c, weight, outputs, inputs, kept, lambda);
          for (let row = 0; row < outputs; row++) {
            // (C_SS + r I) w = C_S: W^T + r W_S^T, written out.
            const right = kept.map((i) => {
              let value = ridge * (weight[row * inputs + i] ?? 0);
              for (let channel = 0; channel < inputs; channel++)
                value += (c[i * inputs + channel] ?? 0) * (weight[row * inputs + channel] ?? 0);
              return value;
            });
            gauss(matrix, right).forEach((value, i) => {
              expect(found[row * kept.length + i]).toBeCloseTo(value, 4);
            });
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('recovers removed channels exactly where kept ones carry the same signal', () => {
    const samples = 50;
    const x = numbers(3 * samples, 5);
    // Channel 2 = 2 * channel 0 - channel 1.
    for (let k = 0; k < samples; k++) x[2 * samples + k] = 2 * (x[k] ?? 0) - (x[samples + k] ?? 0);
    const weight = Float32Array.of(1, 1, 1, 0, 0, 3);
    const found = reconstruct(products(x, 3, samples), weight, 2, 3, [0, 1], 1e-9);
    [3, 0, 6, -3].forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 5);
    });
  });

  it('leaves less of an error than slicing does, multiplied out', () => {
    const [outputs, inputs, samples] = [6, 20, 80];
    const x = numbers(inputs * samples, 11);
    const weight = Float32Array.from(numbers(outputs * inputs, 12));
    const kept = [0, 2, 3, 4, 7, 8, 9, 11, 12, 14, 15, 16, 18];
    const c = products(x, inputs, samples);
    const found = reconstruct(c, weight, outputs, inputs, kept, 0.01);
    const sliced = Array.from({ length: outputs }, (_, row) =>
      kept.map((channel) => weight[row * inputs + channel] as number),
    ).flat();
    const [before, after] = [sliced, found].map((each) =>
      squaredError(each, kept, weight, x, outputs, inputs, samples),
    );
    expect((after as number) / (before as number)).toBeLessThan(0.9);
  });

  it('keeps everything as it is where nothing is removed, or nothing is known', () => {
    const weight = Float32Array.from(numbers(8, 1));
    const c = products(numbers(4 * 9, 2), 4, 9);
    expect(reconstruct(c, weight, 2, 4, [0, 1, 2, 3])).toEqual(weight);
    expect(reconstruct(new Float64Array(16), weight, 2, 4, [1, 3])).toEqual(
      Float32Array.of(weight[1] ?? 0, weight[3] ?? 0, weight[5] ?? 0, weight[7] ?? 0),
    );
  });

  it('raises lambda where the products are not positive definite', () => {
    // A small negative eigenvalue, as float32 sums of few tokens can have.
    const c = Float64Array.of(1, 1.002, 0.5, 1.002, 1, 0.5, 0.5, 0.5, 1);
    const found = reconstruct(c, Float32Array.of(1, 1, 1), 1, 3, [0, 1], 1e-3);
    expect(found.every(Number.isFinite)).toBe(true);
    expect(found).toEqual(reconstruct(c, Float32Array.of(1, 1, 1), 1, 3, [0, 1], 1e-2));
  });

  it('refuses what it cannot solve in a sentence', () => {
    const weight = Float32Array.of(1, 1);
    expect(() => reconstruct(Float64Array.of(1, 0, 0, Number.NaN), weight, 1, 2, [1])).toThrow(DeviceError);
    expect(() => reconstruct(Float64Array.of(1, 0, 0, -1), weight, 1, 2, [1])).toThrow(
      'must be finite, and their diagonal not negative',
    );
    expect(() => reconstruct(Float64Array.of(1, Number.NaN, Number.NaN, 1), weight, 1, 2, [1])).toThrow(
      'must be finite',
    );
    expect(() => reconstruct(Float64Array.of(1, 1e30, 1e30, 1), weight, 1, 2, [0, 1])).toThrow('cannot be factored');
    expect(() => reconstruct(Float64Array.of(1, 0, 0, 1), weight, 1, 2, [0], 0)).toThrow(UsageError);
    expect(() => reconstruct(Float64Array.of(1, 0, 0, 1), weight, 1, 2, [1, 0])).toThrow(MismatchError);
    expect(() => reconstruct(Float64Array.of(1), weight, 1, 2, [1])).toThrow('2 channels need 4');
  });

  it('solves 1,200 kept of 1,536 channels for 576 outputs in seconds', () => {
    const [outputs, inputs] = [576, 1536];
    const c = new Float64Array(inputs * inputs);
    // An autoregressive spectrum: positive definite, with strong neighbours.
    for (let i = 0; i < inputs; i++) for (let j = 0; j < inputs; j++) c[i * inputs + j] = 0.7 ** Math.abs(i - j);
    const weight = Float32Array.from(numbers(outputs * inputs, 4));
    const kept = Array.from({ length: 1200 }, (_, i) => Math.floor((i * inputs) / 1200));
    const found = reconstruct(c, weight, outputs, inputs, kept);
    // e^T C e of the first output, e what the row lacks of the dense one.
    const errorOf = (row: (place: number, channel: number) => number) => {
      const error = Float64Array.from(weight.subarray(0, inputs));
      for (const [place, channel] of kept.entries()) error[channel] = (error[channel] as number) - row(place, channel);
      let sum = 0;
      for (let i = 0; i < inputs; i++)
        for (let j = 0; j < inputs; j++)
          sum += (error[i] as number) * (c[i * inputs + j] as number) * (error[j] as number);
      return sum;
    };
    const before = errorOf((_, channel) => weight[channel] as number);
    expect(errorOf((place) => found[place] as number)).toBeLessThan(0.9 * before);
  }, 60_000);
});

describe('bias compensation', () => {
  it('adds what the removed channels add on average', () => {
    const [outputs, inputs, samples] = [3, 5, 40];
    const x = numbers(inputs * samples, 21).map((value) => value + 0.5);
    const weight = Float32Array.from(numbers(outputs * inputs, 22));
    const mean = Array.from(
      { length: inputs },
      (_, i) => x.slice(i * samples, (i + 1) * samples).reduce((a, b) => a + b, 0) / samples,
    );
    const kept = [0, 3];
    const bias = biasCompensation(weight, outputs, inputs, mean, kept);
    // The mean output over all samples is then that of the dense projection.
    for (let row = 0; row < outputs; row++) {
      let difference = 0;
      for (let k = 0; k < samples; k++) {
        for (let channel = 0; channel < inputs; channel++) {
          if (!kept.includes(channel))
            difference += (weight[row * inputs + channel] ?? 0) * (x[channel * samples + k] ?? 0);
        }
      }
      expect(bias[row]).toBeCloseTo(difference / samples, 6);
    }
  });

  it('refuses sizes that disagree', () => {
    expect(() => biasCompensation(Float32Array.of(1, 2), 1, 2, [1], [0])).toThrow(MismatchError);
  });
});
