import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../decoder/dtypes.ts';
import { roundedCheckpoint } from '../decoder/rounded.ts';
import { UsageError, VerificationError } from '../errors.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { randomLlama } from './testing/random-llama.ts';
import { referenceLogits } from './testing/reference-llama.ts';
import { type ReferenceLogits, verifyDecoder } from './verify.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const checkpoint = randomLlama({ hiddenSize: 64, neurons: 96 });
const TABLES = ['model.embed_tokens.weight'];
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
        roundedReference: definitionOf(roundedCheckpoint(checkpoint, dataType, TABLES)),
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
      const roundedReference = definitionOf(roundedCheckpoint(checkpoint, dataType, TABLES));
      await expect(
        verifyDecoder(decoder, definition, { dataType, windows: WINDOWS, roundedReference }),
      ).rejects.toThrow('is allowed');
    }
  });
});
