import { describe, expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import { createSampler, greatest, type SamplingOptions } from './sampling.ts';

const LOGITS = Float32Array.of(0, 2, -1, 1, -30);
const softmax = (logits: readonly number[]) => {
  const weights = logits.map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};

function frequencies(options: SamplingOptions, draws = 20_000): number[] {
  const { sample } = createSampler(options, seededRandom(11));
  const counts = new Array<number>(LOGITS.length).fill(0);
  for (let draw = 0; draw < draws; draw++) {
    const { tokenId } = sample(LOGITS, []);
    counts[tokenId] = (counts[tokenId] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}

const expectClose = (found: readonly number[], expected: readonly number[]) => {
  found.forEach((frequency, index) => {
    expect(Math.abs(frequency - (expected[index] as number))).toBeLessThan(0.012);
  });
};

describe('createSampler', () => {
  test('is greedy by default and tells the model probability', () => {
    const { tokenId, probability } = createSampler({}, seededRandom(0)).sample(LOGITS, []);
    expect(tokenId).toBe(1);
    expect(probability).toBeCloseTo(softmax([...LOGITS])[1] as number, 6);
  });

  test('draws from the softmax at the given temperature', () => {
    expectClose(frequencies({ temperature: 1 }), softmax([...LOGITS]));
    expectClose(frequencies({ temperature: 2 }), softmax([...LOGITS].map((logit) => logit / 2)));
  });

  test('top-k and top-p keep the most probable tokens and renormalise', () => {
    const [zero = 0, one = 0, , three = 0] = softmax([...LOGITS]);
    expectClose(frequencies({ temperature: 1, topK: 2 }), [0, one / (one + three), 0, three / (one + three), 0]);
    expectClose(
      frequencies({ temperature: 1, topP: one + three + 1e-6 }),
      [zero, one, 0, three, 0].map((p) => p / (zero + one + three)),
    );
    expectClose(frequencies({ temperature: 1, topP: 0.01 }), [0, 1, 0, 0, 0]);
  });

  test('top-k and top-p together, over a large vocabulary, keep what a full sort keeps', () => {
    const random = seededRandom(21);
    const logits = Float32Array.from({ length: 500 }, () => 8 * random());
    const weights = [...logits].map(Math.exp);
    const order = [...weights.keys()].sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0));
    for (const [topK, topP] of [
      [40, 0.9],
      [0, 0.3],
      [5000, 0.5],
      [1, 1],
    ] as const) {
      const limited = order.slice(0, topK || order.length);
      const total = limited.reduce((sum, id) => sum + (weights[id] ?? 0), 0);
      const before = (rank: number) => limited.slice(0, rank).reduce((sum, id) => sum + (weights[id] ?? 0), 0);
      const allowed = new Set(limited.filter((_, rank) => before(rank) < topP * total - 1e-9));
      const { sample } = createSampler({ temperature: 1, topK, topP }, seededRandom(2));
      const drawn = new Set(Array.from({ length: 400 }, () => sample(logits, []).tokenId));
      for (const id of drawn) expect(allowed.has(id)).toBe(true);
      expect(drawn.size).toBeGreaterThan(Math.min(allowed.size, 40) * 0.7);
    }
  });

  test('the repetition penalty lowers tokens that occurred, whatever the sign of their logit', () => {
    const { sample } = createSampler({ repetitionPenalty: 4 }, seededRandom(0));
    expect(sample(LOGITS, [1]).tokenId).toBe(3);
    expect(sample(Float32Array.of(-1, -2), [0]).tokenId).toBe(1);
    expect(LOGITS[1]).toBe(2);
  });

  test('one seed gives one sequence', () => {
    const take = (seed: number) => {
      const { sample } = createSampler({ temperature: 1.5 }, seededRandom(seed));
      return Array.from({ length: 50 }, () => sample(LOGITS, []).tokenId);
    };
    expect(take(5)).toEqual(take(5));
    expect(take(5)).not.toEqual(take(6));
  });

  test('refuses options outside their domain, naming them', () => {
    for (const options of [
      { temperature: -1 },
      { topK: 1.5 },
      { topP: 0 },
      { topP: 1.1 },
      { repetitionPenalty: 0 },
      { temperature: Number.NaN },
    ]) {
      expect(() => createSampler(options, seededRandom(0))).toThrow(UsageError);
      expect(() => createSampler(options, seededRandom(0))).toThrow(Object.keys(options)[0]);
    }
  });
});

test('greatest takes the first of equals', () => {
  expect(greatest(Float32Array.of(1, 3, 3, 2))).toBe(1);
});

test('drawing from the model as it is gives the token of drawing with a cut that leaves all of them', () => {
  const random = seededRandom(5);
  const logits = Float32Array.from({ length: 5000 }, () => 8 * (random() - 0.5));
  const [plain, limited] = [
    createSampler({ temperature: 1 }, seededRandom(1)),
    createSampler({ temperature: 1, repetitionPenalty: 1.5 }, seededRandom(1)),
  ];
  for (let draw = 0; draw < 50; draw++) expect(plain.sample(logits, [])).toEqual(limited.sample(logits, []));
});
