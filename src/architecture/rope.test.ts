import { describe, expect, test } from 'vitest';
import { ConfigFields } from './config-fields.ts';
import { causalMask, inverseFrequencies, readRopeScaling, rotaryTables, rotationOf } from './rope.ts';

const CONTEXT = { rotaryDimension: 64, maximumPositions: 131_072 };

/** Of Llama 3.2 1B, by transformers 5.24 in float32: head dimension 64, theta 500,000. */
const LLAMA_3_2 = [
  1.0, 0.663601279, 0.440366626, 0.292227834, 0.193922758, 0.128687382, 0.0853971019, 0.0566696189, 0.0376060307,
  0.0249554086, 0.0165604409, 0.0109895291, 0.00729266508, 0.00483942125, 0.00321144611, 0.00129054801, 0.000429556705,
  9.70828623e-5, 1.94616387e-5, 1.29147675e-5, 8.57025589e-6, 5.68723226e-6, 3.77405445e-6, 2.50446715e-6,
  1.66196742e-6, 1.10288363e-6, 7.31874934e-7, 4.85673127e-7, 3.22293289e-7, 2.1387423e-7, 1.41927202e-7, 9.41830649e-8,
];

/** Of Qwen2.5 7B with the YaRN scaling that its model card advises, by transformers 5.24 in float32: head dimension 128, theta 1,000,000. */
const QWEN_2_5_YARN = [
  1, 0.805842221, 0.649381638, 0.523299158, 0.421696514, 0.339820832, 0.273841977, 0.220673397, 0.177827939,
  0.143301263, 0.115478203, 0.0930572003, 0.0749894157, 0.0604296438, 0.0486967526, 0.0392418988, 0.0316227786,
  0.0254829675, 0.0205352511, 0.0165481716, 0.0133352149, 0.0107460786, 0.00865964312, 0.00697830599, 0.00537532149,
  0.0041317381, 0.00316842273, 0.00242342241, 0.00184827659, 0.00140511245, 0.00106436096, 0.000802959781,
  0.000602941145, 0.000450323569, 0.000334240554, 0.000246258394, 0.000179841154, 0.00012993149, 9.26230132e-5,
  6.4903943e-5, 4.44569851e-5, 3.58253164e-5, 2.88695483e-5, 2.32643015e-5, 1.87473561e-5, 1.51074091e-5, 1.21741887e-5,
  9.81047469e-6, 7.90569356e-6, 6.37074163e-6, 5.13381246e-6, 4.13704265e-6, 3.33380353e-6, 2.68651957e-6,
  2.16491094e-6, 1.74457659e-6, 1.40585337e-6, 1.13289593e-6, 9.1293532e-7, 7.35681795e-7, 5.92843435e-7, 4.7773824e-7,
  3.84981632e-7, 3.10234441e-7,
];

/** Head dimension 32, theta 10,000, ends of the ramp not rounded; as above. */
const YARN_UNROUNDED = [
  1, 0.562341332, 0.316227764, 0.177827939, 0.100000001, 0.0430487655, 0.0165483095, 0.00499837939, 0.00124999997,
  0.000702926656, 0.000395284733, 0.000222284929, 0.000125000006, 7.02926627e-5, 3.95284733e-5, 2.22284925e-5,
];

describe('rope scaling', () => {
  test('llama3 equals transformers for Llama 3.2', () => {
    const scaling = readRopeScaling(
      new ConfigFields({
        factor: 32,
        high_freq_factor: 4,
        low_freq_factor: 1,
        original_max_position_embeddings: 8192,
        rope_type: 'llama3',
      }),
      CONTEXT,
    );
    const found = inverseFrequencies(64, 500_000, scaling);
    LLAMA_3_2.forEach((frequency, index) => {
      expect((found[index] as number) / frequency, `frequency ${index}`).toBeCloseTo(1, 5);
    });
  });

  test.each([
    {
      fields: { type: 'yarn', factor: 4, original_max_position_embeddings: 32_768 },
      theta: 1e6,
      expected: QWEN_2_5_YARN,
      magnitude: 1.138629436111989,
    },
    {
      fields: {
        rope_type: 'yarn',
        factor: 8,
        original_max_position_embeddings: 1024,
        mscale: 0.8,
        mscale_all_dim: 0.5,
        beta_fast: 16,
        beta_slow: 2,
        truncate: false,
      },
      theta: 1e4,
      expected: YARN_UNROUNDED,
      magnitude: 1.0565079928608092,
    },
  ])('yarn equals transformers: $fields', ({ fields, theta, expected, magnitude }) => {
    const rotaryDimension = 2 * expected.length;
    const found = rotationOf(
      rotaryDimension,
      theta,
      readRopeScaling(new ConfigFields(fields), { rotaryDimension, maximumPositions: 32_768 }),
    );
    expect(found.magnitude).toBeCloseTo(magnitude, 12);
    expect(found.inverseFrequencies).toHaveLength(expected.length);
    expected.forEach((frequency, index) => {
      expect((found.inverseFrequencies[index] as number) / frequency, `frequency ${index}`).toBeCloseTo(1, 5);
    });
  });

  test('dynamic scaling begins beyond the longest sequence that is computed', () => {
    expect(readRopeScaling(new ConfigFields({ type: 'dynamic', factor: 2 }), CONTEXT)).toEqual({ kind: 'none' });
  });

  test('linear divides every frequency, and none leaves them alone', () => {
    const plain = inverseFrequencies(8, 10_000, readRopeScaling(undefined, CONTEXT));
    expect([...plain]).toEqual([1, 0.1, 0.01, 0.001].map((value) => expect.closeTo(value, 12)));
    const scaled = inverseFrequencies(
      8,
      10_000,
      readRopeScaling(new ConfigFields({ type: 'linear', factor: 4 }), CONTEXT),
    );
    expect([...scaled]).toEqual([...plain].map((value) => value / 4));
  });

  test('longrope takes the short factors and the magnitude of the paper', () => {
    const fields = new ConfigFields({
      type: 'su',
      short_factor: [1, 2],
      long_factor: [3, 4],
      original_max_position_embeddings: 4096,
    });
    const scaling = readRopeScaling(fields, { rotaryDimension: 4, maximumPositions: 131_072 });
    // Phi-3-mini-128k: sqrt(1 + ln 32 / ln 4096).
    expect(scaling).toEqual({
      kind: 'longrope',
      factors: [1, 2],
      magnitude: expect.closeTo(1.190238, 6),
      originalPositions: 4096,
    });
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
    return Array.from({ length: tokens }, (_, row) =>
      [...mask.subarray(row * tokens, (row + 1) * tokens)].map((value) => (value === 0 ? 'x' : '.')).join(''),
    );
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
