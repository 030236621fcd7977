import { describe, expect, test } from 'vitest';
import { ConfigFields } from './config-fields.ts';
import { causalMask, inverseFrequencies, readRopeScaling, rotaryTables } from './rope.ts';

const CONTEXT = { rotaryDimension: 64, maximumPositions: 131_072 };

/** Of Llama 3.2 1B, by transformers 5.24 in float32: head dimension 64, theta 500,000. */
const LLAMA_3_2 = [
  1.0, 0.663601279, 0.440366626, 0.292227834, 0.193922758, 0.128687382, 0.0853971019, 0.0566696189, 0.0376060307, 0.0249554086, 0.0165604409, 0.0109895291,
  0.00729266508, 0.00483942125, 0.00321144611, 0.00129054801, 0.000429556705, 9.70828623e-5, 1.94616387e-5, 1.29147675e-5, 8.57025589e-6, 5.68723226e-6,
  3.77405445e-6, 2.50446715e-6, 1.66196742e-6, 1.10288363e-6, 7.31874934e-7, 4.85673127e-7, 3.22293289e-7, 2.1387423e-7, 1.41927202e-7, 9.41830649e-8,
];

describe('rope scaling', () => {
  test('llama3 equals transformers for Llama 3.2', () => {
    const scaling = readRopeScaling(
      new ConfigFields({ factor: 32, high_freq_factor: 4, low_freq_factor: 1, original_max_position_embeddings: 8192, rope_type: 'llama3' }),
      CONTEXT,
    );
    const found = inverseFrequencies(64, 500_000, scaling);
    LLAMA_3_2.forEach((frequency, index) => {
      expect((found[index] as number) / frequency, `frequency ${index}`).toBeCloseTo(1, 5);
    });
  });

  test('linear divides every frequency, and none leaves them alone', () => {
    const plain = inverseFrequencies(8, 10_000, readRopeScaling(undefined, CONTEXT));
    expect([...plain]).toEqual([1, 0.1, 0.01, 0.001].map((value) => expect.closeTo(value, 12)));
    const scaled = inverseFrequencies(8, 10_000, readRopeScaling(new ConfigFields({ type: 'linear', factor: 4 }), CONTEXT));
    expect([...scaled]).toEqual([...plain].map((value) => value / 4));
  });

  test('longrope takes the short factors and the magnitude of the paper', () => {
    const fields = new ConfigFields({ type: 'su', short_factor: [1, 2], long_factor: [3, 4], original_max_position_embeddings: 4096 });
    const scaling = readRopeScaling(fields, { rotaryDimension: 4, maximumPositions: 131_072 });
    // Phi-3-mini-128k: sqrt(1 + ln 32 / ln 4096).
    expect(scaling).toEqual({ kind: 'longrope', factors: [1, 2], magnitude: expect.closeTo(1.190238, 6), originalPositions: 4096 });
    expect([...inverseFrequencies(4, 100, scaling)]).toEqual([1, expect.closeTo(0.05, 12)]);
  });
});

test('rotary tables hold cosine and sine of position times frequency', () => {
  const { cosine, sine } = rotaryTables(Float64Array.of(1, 0.5), 2, 3, 2);
  expect([...cosine]).toEqual([3, 1.5, 4, 2].map((angle) => expect.closeTo(2 * Math.cos(angle), 6)));
  expect([...sine]).toEqual([3, 1.5, 4, 2].map((angle) => expect.closeTo(2 * Math.sin(angle), 6)));
});

describe('causalMask', () => {
  const seen = (tokens: number, window?: number) => {
    const mask = causalMask(tokens, window);
    return Array.from({ length: tokens }, (_, row) => [...mask.subarray(row * tokens, (row + 1) * tokens)].map((value) => (value === 0 ? 'x' : '.')).join(''));
  };

  test('a query sees itself and all before', () => {
    expect(seen(3)).toEqual(['x..', 'xx.', 'xxx']);
  });

  test('a window counts the query itself', () => {
    expect(seen(4, 2)).toEqual(['x...', 'xx..', '.xx.', '..xx']);
    expect(seen(3, 9)).toEqual(seen(3));
    expect(() => causalMask(3, 0)).toThrow('An attention window is 0; it must be at least 1.');
  });
});
