import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../decoder/dtypes.ts';
import { roundedCheckpoint } from '../decoder/rounded.ts';
import { tensorsInTableBits } from '../decoder/sensitive.ts';
import { UsageError, VerificationError } from '../errors.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { randomLlama } from './testing/random-llama.ts';
import { referenceLogits } from './testing/reference-llama.ts';
import { type ReferenceLogits, verifyDecoder, verifyLogits } from './verify.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const checkpoint = randomLlama({ hiddenSize: 64, neurons: 96 });
const WINDOWS = [0, 1, 2, 3].map((start) => Array.from({ length: 64 }, (_, index) => (start * 7 + index * 29) % 64));
const definitionOf = (model: Checkpoint): ReferenceLogits => {
  const computed = new Map<string, Promise<Float32Array>>();
  return (tokenIds) => {
    const key = tokenIds.join();
    const known =
      computed.get(key) ??
      referenceLogits(model, tokenIds).then((rows) => Float32Array.from(rows.flatMap((row) => [...row])));
    computed.set(key, known);
    return known;
  };
};
const definition = definitionOf(checkpoint);

describe('verifyDecoder', () => {
  test('refuses fewer than 256 positions', async () => {
    using decoder = await decoderForModel(runtime, modelOf(checkpoint));
    await expect(verifyDecoder(decoder, definition, { dataType: 'f32', windows: WINDOWS.slice(1) })).rejects.toThrow(
      UsageError,
    );
  });

  for (const dataType of Object.keys(EXPORT_FORMATS) as ExportDataType[]) {
    test(`accepts the model in ${dataType} and refuses another one`, async () => {
      using decoder = await decoderForModel(runtime, modelOf(checkpoint), { dataType });
      const options = {
        dataType,
        windows: WINDOWS,
        roundedReference: definitionOf(
          roundedCheckpoint(checkpoint, dataType, tensorsInTableBits(modelOf(checkpoint), dataType)),
        ),
      };
      const { positions, top1Agreement, rootMeanSquareDifference } = await verifyDecoder(decoder, definition, options);
      expect(positions).toBe(256);
      expect(top1Agreement).toBeGreaterThan(0.6);
      expect(rootMeanSquareDifference).toBeGreaterThan(0);
      using other = await decoderForModel(runtime, modelOf(randomLlama({ hiddenSize: 64, neurons: 96, seed: 2 })), {
        dataType,
      });
      await expect(verifyDecoder(other, definition, { dataType, windows: WINDOWS })).rejects.toThrow(VerificationError);
    });
  }

  test('sees a single wrong weight matrix in every format', async () => {
    const spoiled = {
      ...checkpoint,
      read: async (name: string, rows?: { start: number; end: number }) => {
        const values = await checkpoint.read(name, rows);
        return name === 'model.layers.1.mlp.down_proj.weight' ? values.map((value) => -value) : values;
      },
    };
    for (const dataType of Object.keys(EXPORT_FORMATS) as ExportDataType[]) {
      using decoder = await decoderForModel(runtime, modelOf(spoiled), { dataType });
      const roundedReference = definitionOf(
        roundedCheckpoint(checkpoint, dataType, tensorsInTableBits(modelOf(checkpoint), dataType)),
      );
      await expect(
        verifyDecoder(decoder, definition, { dataType, windows: WINDOWS, roundedReference }),
      ).rejects.toThrow('is allowed');
    }
  });
});

describe('a format that is too coarse for a model', () => {
  const VOCABULARY = 40;
  /** A model that is sure of itself, and one that is about as far from it as the spread says. */
  const row = (position: number, spread: number) =>
    Float32Array.from({ length: VOCABULARY }, (_, token) => {
      const expected = (token === position % VOCABULARY ? 4 : 0) + Math.sin(position + token);
      return expected + spread * Math.sin(7 * position + 13 * token);
    });
  const logits =
    (spread: number): ReferenceLogits =>
    async (window) =>
      Float32Array.from(window.flatMap((position) => [...row(position, spread)]));
  const windows = [Array.from({ length: 256 }, (_, position) => position)];
  const verify = (options: Partial<Parameters<typeof verifyLogits>[2]> = {}, spread = 1.5) =>
    verifyLogits(logits(spread), logits(0), { dataType: 'q8', windows, ...options });

  test('is refused by its divergence, and the sentence says what to try', async () => {
    await expect(verify()).rejects.toThrow(
      /differs from the block programs by .* is allowed\. Nothing was kept\. Export in f16 or f32, or keep it as it is with --force\./,
    );
    await expect(verify({ dataType: 'q4' }, 1.3)).rejects.toThrow(
      /KL divergence.*at most 0\.250 is allowed.*Nothing was kept\. Round by GPTQ/,
    );
  });

  test('is not told to do what was done, nor to round otherwise where the file computes something else', async () => {
    await expect(verify({ dataType: 'q4', rounding: 'gptq' }, 1.3)).rejects.toThrow(
      /Nothing was kept\. It was rounded by GPTQ already: export in q8, give more calibration text, remove less, or/,
    );
    await expect(verify({ dataType: 'q4', roundedReference: logits(0) }, 1.3)).rejects.toThrow(
      /differs from the block programs on the rounded weights .* Nothing was kept\. No rounding cures that: /,
    );
  });

  test('is refused in q8 with what is finer', async () => {
    await expect(verify()).rejects.toThrow(/Export in f16 or f32, or keep/);
  });

  test('is kept by force, with the bound that it exceeds; in f32 there is no force', async () => {
    const kept = await verify({ force: true });
    expect(kept.exceeded).toMatch(/^The exported q8 model differs from the block programs/);
    await expect(verify({ force: true, dataType: 'f32' })).rejects.toThrow(VerificationError);
    expect((await verify({}, 0.01)).exceeded).toBeUndefined();
  });

  test('states the divergence as its definition gives it, and is not judged by it on drawn tokens', async () => {
    const { klDivergence, source } = await verify({ force: true });
    let expected = 0;
    for (const position of windows[0] ?? []) {
      const [p, q] = [row(position, 0), row(position, 1.5)].map((values) => {
        const powers = Float64Array.from(values, Math.exp);
        const sum = powers.reduce((total, value) => total + value, 0);
        return powers.map((value) => value / sum);
      });
      p?.forEach((value, token) => {
        expected += (value * Math.log(value / (q?.[token] ?? 0))) / 256;
      });
    }
    expect([klDivergence, source]).toEqual([expect.closeTo(expected, 6), 'text']);
    expect((await verify({ dataType: 'q4', source: 'drawn' }, 1.3)).klDivergence).toBeGreaterThan(0.25);
  });
});
