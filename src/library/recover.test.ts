import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { openOnnx } from '../checkpoint/formats/onnx/onnx.ts';
import { memoryFiles } from '../checkpoint/testing/memory-files.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { MismatchError, UsageError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { mergedCheckpoint, mergeQuantised, quantisedCheckpoint } from '../recovery/recovered-checkpoint.ts';
import { adaptedModel, randomWindows } from '../recovery/testing/adapted.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { exportPruned } from './export.ts';
import { OpenModel } from './open-model.ts';
import { type RecoverOptions, recover } from './recover.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const TOKENS = [5, 9, 30, 2, 17, 41, 8, 8, 21, 33];

/** Logits of base and adapters as they train, without dropout. */
async function adaptedLogits(setup: Awaited<ReturnType<typeof adaptedModel>>): Promise<Float32Array> {
  const { programs, store, model } = setup;
  using embed = await store.lease('embed');
  const [last] = await model.forward([await programs.embed(embed, [TOKENS])], undefined);
  if (!last) throw new Error('no states');
  using states = last;
  using head = await store.lease('head');
  const hidden = await runtime.read(states);
  return programs.logits(head, { ...hidden, shape: [TOKENS.length, hidden.shape.at(-1) ?? 0] });
}

describe('merging', () => {
  test.each(['llama', 'llama-biases', 'qwen3', 'gemma3', 'phi3'] as const)(
    '%s: the merged model computes what base and adapters do',
    async (name) => {
      const { checkpoint } = await openFixture(name);
      for (const method of ['group-wise', 'lora'] as const) {
        using setup = await adaptedModel(runtime, checkpoint, { method, trained: true });
        const merged = setup.quantised
          ? quantisedCheckpoint(checkpoint, mergeQuantised(setup.base, setup.quantised, setup.adapters))
          : mergedCheckpoint(setup.base, setup.adapters);
        using open = new OpenModel(runtime, merged);
        using untrained = new OpenModel(runtime, setup.base.checkpoint);
        const expected = await adaptedLogits(setup);
        expect(relativeDifference(await blockProgramLogits(open.programs, open.store)(TOKENS), expected)).toBeLessThan(
          2e-5,
        );
        expect(
          relativeDifference(await blockProgramLogits(untrained.programs, untrained.store)(TOKENS), expected),
        ).toBeGreaterThan(1e-2);
        const changed = [...merged.tensors.keys()].filter((tensor) => merged.groupQuantised?.(tensor) !== undefined);
        expect(changed).toHaveLength(method === 'lora' ? 0 : (name === 'phi3' ? 4 : 7) * setup.adapters.length);
      }
    },
  );
});

/** Widths that groups of 32 divide in one layer and not in the other. */
const pruned = () =>
  randomLlama({
    hiddenSize: 64,
    headDimension: 16,
    neurons: 48,
    seed: 4,
    widths: [
      { keyValueHeads: 2, neurons: 32 },
      { keyValueHeads: 1, neurons: 44 },
    ],
  });

const options = (changes: Partial<RecoverOptions> = {}): RecoverOptions => ({
  method: 'group-wise',
  steps: 6,
  learningRate: 0.02,
  batchWindows: 4,
  rank: 2,
  examples: randomWindows(12, 64),
  ...changes,
});

function memoryOutput() {
  const files: Record<string, Uint8Array> = {};
  const folder: OutputFolder = {
    async write(name, chunks) {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk.slice());
      files[name] = new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
    },
    openModel: async (name, dataName) => ({
      model: files[name] ?? new Uint8Array(),
      externalData: { [dataName.replace(/^.*\//, '')]: files[dataName] ?? new Uint8Array() },
    }),
    reopen: async () => memoryFiles('out', files),
    publish: async () => undefined,
    discard: async () => undefined,
  };
  return { files, folder };
}

async function exported(model: OpenModel, dtype: ExportDataType) {
  const { files, folder } = memoryOutput();
  const { bytes, verification } = await exportPruned(model, { output: folder, dtype });
  return { files, bytes, verification };
}

/** The weights of the blocks that an exported folder holds. */
async function matrices(files: Record<string, Uint8Array>, file: string): Promise<Map<string, Float32Array>> {
  const checkpoint: Checkpoint = await openOnnx(memoryFiles('exported', files), file);
  const found = new Map<string, Float32Array>();
  for (const name of checkpoint.tensors.keys()) if (name.includes('proj')) found.set(name, await checkpoint.read(name));
  return found;
}

describe('recover', () => {
  test.each([
    ['group-wise', 4, 'q4', 'model_q4.onnx'],
    ['group-wise', 8, 'q8', 'model_quantized.onnx'],
    ['lora', 4, 'f32', 'model.onnx'],
  ] as const)(
    '%s with %i bits: evaluated, exported as %s and read back without another rounding',
    async (method, bits, dtype, file) => {
      using open = new OpenModel(runtime, pruned());
      const result = await recover(open, options({ method, bits }));
      using model = result.model;
      expect(result).toMatchObject({ steps: 6, stoppedBecause: 'finished' });
      expect(result.history).toHaveLength(7);
      expect(result.notes.join()).toMatch(method === 'lora' ? /^$/ : /layer 1 are no multiples of 32/);
      const windows = [TOKENS];
      expect((await perplexity(model.programs, model.store, windows)).loss).toBeGreaterThan(0);

      const { files, bytes, verification } = await exported(model, dtype);
      expect(verification.positions).toBe(256);
      const read = await matrices(files, `onnx/${file}`);
      expect(read.size).toBe(14);
      for (const [name, values] of read)
        expect(relativeDifference(values, await model.model.checkpoint.read(name)), name).toBeLessThan(1e-6);

      // The same size as when nothing was learnt.
      const untrained = await recover(open, options({ method, bits, steps: 1 }));
      using same = untrained.model;
      expect((await exported(same, dtype)).bytes).toBe(bytes);
    },
  );

  test('the held-out loss is that of the merged model, and of the given one before', async () => {
    using open = new OpenModel(runtime, pruned());
    const heldOut = [{ tokens: TOKENS }, { tokens: TOKENS.toReversed() }];
    const result = await recover(
      open,
      options({ heldOut, examples: [...randomWindows(4, 64), ...heldOut], steps: 10 }),
    );
    using model = result.model;
    const windows = heldOut.map(({ tokens }) => tokens);
    expect(result.heldOutBefore).toBeCloseTo((await perplexity(open.programs, open.store, windows)).loss, 4);
    expect(result.heldOutAfter).toBeCloseTo((await perplexity(model.programs, model.store, windows)).loss, 4);
    expect(result.heldOutAfter).toBeLessThan(result.heldOutBefore);
    expect(result.adapterParameters).toBeGreaterThan(0);
  });

  test('says when an export would round again', async () => {
    using open = new OpenModel(runtime, pruned());
    const result = await recover(open, options({ groupSize: 16, steps: 1 }));
    using model = result.model;
    expect(result.notes.join()).toMatch(/Groups of 16 inputs are rounded again by exports to q4 and q8.*export in f32/);
    expect(model.model.checkpoint.groupQuantised?.('model.layers.0.mlp.down_proj.weight')?.groupSize).toBe(16);
  });

  test('frees everything but the model that it returns', async () => {
    using open = new OpenModel(runtime, pruned());
    await perplexity(open.programs, open.store, [TOKENS]);
    // Tables of positions are kept for every length of window.
    const examples = Array.from({ length: 8 }, () => ({ tokens: TOKENS }));
    const first = await recover(open, options({ examples, steps: 1 }));
    first.model.dispose();
    const before = runtime.statistics().liveTensors;
    const second = await recover(open, options({ examples, steps: 2 }));
    second.model.dispose();
    await new Promise((resolve) => setTimeout(resolve));
    expect(runtime.statistics().liveTensors).toBe(before);
  });

  test.each<[string, Partial<RecoverOptions>, typeof UsageError | typeof MismatchError, RegExp]>([
    ['a rank of 0', { rank: 0 }, UsageError, /rank is 0; it must be a whole number, 1 or more/],
    [
      'steps of groups that there are none of',
      { method: 'lora', groupSteps: true },
      UsageError,
      /groupSteps trains the steps of groups of weights; the method is "lora"/,
    ],
    ['a dropout of 1', { dropout: 1 }, UsageError, /dropout is 1; it must be a number 0 or more and below 1/],
    ['no learning', { learningRate: 0 }, UsageError, /learningRate is 0; it must be a number above 0/],
    ['more warm-up than steps', { warmupSteps: 7 }, UsageError, /warmupSteps is 7, more than the 6 steps/],
    ['one window', { examples: randomWindows(1, 64) }, UsageError, /1 training window; at least 2/],
    [
      'a window of another vocabulary',
      { examples: [{ tokens: [1, 64] }, { tokens: [1, 2] }] },
      MismatchError,
      /window 0 has token id 64; .* 0 to 63/,
    ],
    [
      'a mask of another length',
      { examples: [{ tokens: [1, 2], learn: [1] }, { tokens: [1, 2] }] },
      MismatchError,
      /2 tokens and a mask of 1/,
    ],
    [
      'nothing to learn',
      { examples: [{ tokens: [1, 2], learn: [1, 0] }, { tokens: [1, 2] }] },
      UsageError,
      /Nothing in training window 0/,
    ],
    [
      'a window longer than the model holds',
      { examples: [{ tokens: new Int32Array(129) }, { tokens: [1, 2] }] },
      UsageError,
      /129 tokens; the model holds 128/,
    ],
  ])('refuses %s', async (_, changes, error, message) => {
    using open = new OpenModel(runtime, pruned());
    const failure = recover(open, options(changes));
    await expect(failure).rejects.toThrow(error);
    await expect(failure).rejects.toThrow(message);
  });
});
