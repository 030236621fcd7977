import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../errors.ts';
import { randomLlama } from '../../export/testing/random-llama.ts';
import { randomModel } from '../../export/testing/random-model.ts';
import { OpenModel } from '../../library/open-model.ts';
import { sumsInfo } from '../../library/score.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { decodeScoreState, encodeScoreState, type StateShape } from '../files/score-state-file.ts';
import { type ImportanceResult, importance } from '../importance.ts';
import type { ScoreState } from './score-state.ts';
import { METRICS, type Metric } from './scores.ts';

const OPTIONS = {
  layers: 4,
  hiddenSize: 24,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 8,
  neurons: 21,
  vocabulary: 40,
  seed: 7,
};
const windows = Array.from({ length: 5 }, (_, window) =>
  Int32Array.from({ length: 9 }, (_, token) => (token * 11 + window * 5) % 40),
);

let runtime: Runtime;
let open: OpenModel;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 2 });
  open = new OpenModel(runtime, randomLlama(OPTIONS));
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

type Scored = Pick<ImportanceResult, 'layers' | 'loss'>;
/** Every value with its name, in one order. */
const entries = ({ layers }: Scored) =>
  layers.flatMap((layer, index) =>
    (['attention', 'mlp'] as const).flatMap((module) =>
      METRICS.flatMap((metric) =>
        Array.from(layer[module][metric] ?? [], (value, group) => ({
          name: `${index} ${module} ${metric} ${group}`,
          value,
        })),
      ),
    ),
  );
const text = (scored: Scored) => JSON.stringify([scored.loss, entries(scored)]);
const shapeOf = async (
  model: OpenModel,
  texts: readonly Int32Array[],
  metrics: readonly Metric[] = METRICS,
): Promise<StateShape> => ({
  run: 'this one',
  gradients: texts.reduce((sum, text) => sum + text.length * model.config.hiddenSize, 0),
  info: await sumsInfo(
    model,
    { windows: texts, metrics, calibration: { source: 'drawn', sha256: '1'.repeat(64), seed: 0 } },
    'f32',
  ),
});

describe('a state of scoring', () => {
  it.each([0, 2 ** 20])(
    'goes on after any layer to the same bits, with %i bytes of kept activations',
    async (activationBytes) => {
      const states: ScoreState[] = [];
      const options = { structuresOf: open.structuresOf, activationBytes };
      const whole = await importance(open.programs, open.store, windows, {
        ...options,
        onLayer: async (state) => void states.push(await state()),
      });
      expect(states.map(({ layer }) => layer)).toEqual([3, 2, 1]);
      const before = runtime.statistics().liveTensors;
      for (const state of states) {
        const shape = await shapeOf(open, windows);
        const stored = await decodeScoreState(encodeScoreState(shape, state), shape, 'a.partial');
        const rest = await importance(open.programs, open.store, windows, { ...options, resume: stored });
        expect(text(rest)).toBe(text(whole));
      }
      expect(runtime.statistics().liveTensors).toBe(before);
    },
  );

  it('is none for another run, and is refused when it is damaged', async () => {
    const states: ScoreState[] = [];
    await importance(open.programs, open.store, windows, {
      structuresOf: open.structuresOf,
      onLayer: async (ask) => void states.push(await ask()),
    });
    const [state] = states;
    if (!state) throw new Error('no state was given');
    const shape = await shapeOf(open, windows);
    const file = encodeScoreState(shape, state);
    expect(await decodeScoreState(file, { ...shape, run: 'another' }, 'a.partial')).toBeUndefined();
    await expect(decodeScoreState(file.slice(0, -4), shape, 'a.partial')).rejects.toThrow(FileFormatError);
    await expect(decodeScoreState(file, { ...shape, gradients: 1 }, 'a.partial')).rejects.toThrow(
      /has 1080 numbers of gradients of 5 windows; 1 of 5 are expected/,
    );
    await expect(decodeScoreState(encodeScoreState(shape, { ...state, layer: 9 }), shape, 'a.partial')).rejects.toThrow(
      /unfinished.layer is 9/,
    );
  });
});

describe('a state within a layer', () => {
  /** Four batches, the last of them smaller. */
  const long = Array.from({ length: 26 }, (_, window) =>
    Int32Array.from({ length: 120 }, (_, token) => (token * 11 + window * 5) % 40),
  );
  const drawn = {
    'by kernels': { model: randomLlama({ ...OPTIONS, layers: 2 }) },
    'by operators': { model: randomLlama({ ...OPTIONS, layers: 2 }), elementEngine: 'onnx' as const },
    'without element metrics': {
      model: randomLlama({ ...OPTIONS, layers: 2 }),
      metrics: ['vector', 'fisher', 'wanda'] as const,
    },
    'of a model with grouped biases': {
      model: randomModel({
        ...{
          model_type: 'qwen2',
          num_hidden_layers: 2,
          hidden_size: 32,
          num_attention_heads: 4,
          num_key_value_heads: 2,
          head_dim: 8,
        },
        ...{
          intermediate_size: 24,
          vocab_size: 40,
          max_position_embeddings: 128,
          tie_word_embeddings: true,
          rope_theta: 10_000,
        },
      }),
    },
  };

  it.each(Object.entries(drawn))('goes on after any batch to the same bits: %s', async (_, { model, ...engine }) => {
    using own = new OpenModel(runtime, model);
    const { metrics = METRICS } = { metrics: METRICS, ...engine };
    const options = { structuresOf: own.structuresOf, ...engine };
    const states: { file: Uint8Array; shape: StateShape; layer: number; batches: number }[] = [];
    const shape = await shapeOf(own, long, metrics);
    const take = async (ask: () => Promise<ScoreState>) => {
      const state = await ask();
      states.push({
        file: encodeScoreState(shape, state),
        shape,
        layer: state.layer,
        batches: state.begun?.batches ?? 0,
      });
    };
    const whole = await importance(own.programs, own.store, long, { ...options, onLayer: take, onBatch: take });
    expect(states.map(({ layer, batches }) => [layer, batches])).toEqual([
      [2, 1],
      [2, 2],
      [2, 3],
      [1, 0],
      [1, 1],
      [1, 2],
      [1, 3],
    ]);
    const runs: number[] = [];
    for (const { file, shape } of states) {
      const resume = await decodeScoreState(file, shape, 'a.partial');
      const before = runtime.statistics().runs;
      expect(text(await importance(own.programs, own.store, long, { ...options, resume }))).toBe(text(whole));
      runs.push(runtime.statistics().runs - before);
    }
    // Every batch that a state has is one that is not computed again.
    const perBatch = 'elementEngine' in engine ? 9 : 1;
    expect(runs.slice(4).map((count) => (runs[3] ?? 0) - count)).toEqual([perBatch, 2 * perBatch, 3 * perBatch]);
    expect([1, 2].map((index) => (runs[0] ?? 0) - (runs[index] ?? 0))).toEqual([perBatch, 2 * perBatch]);
  });

  it('is refused where a sum is missing or has another length', async () => {
    using own = new OpenModel(runtime, randomLlama({ ...OPTIONS, layers: 2 }));
    const texts = long.slice(0, 9);
    const shape = await shapeOf(own, texts);
    const files: Uint8Array[] = [];
    await importance(own.programs, own.store, texts, {
      structuresOf: own.structuresOf,
      onBatch: async (ask) => void files.push(encodeScoreState(shape, await ask())),
    });
    expect(files.length).toBe(2);
    for (const file of files) {
      const changed = (from: string, to: string) => {
        const text = Buffer.from(file).toString('latin1');
        expect(text).toContain(from);
        return decodeScoreState(new Uint8Array(Buffer.from(text.replace(from, to), 'latin1')), shape, 'a.partial');
      };
      await expect(changed('.first/attention.query', '.first/attention.quern')).rejects.toThrow('there is no such sum');
      await expect(changed('\\"batches\\":1', '\\"batches\\":9')).rejects.toThrow(/9 batches of 8 windows are done/);
    }
  });
});

describe('activations', () => {
  it('that are kept give the scores of those that are recomputed', async () => {
    const options = { structuresOf: open.structuresOf };
    const kept = await importance(open.programs, open.store, windows, options);
    const recomputed = await importance(open.programs, open.store, windows, { ...options, activationBytes: 0 });
    const expected = entries(recomputed);
    for (const [index, { name, value }] of entries(kept).entries()) {
      const other = expected[index];
      expect(other?.name).toBe(name);
      expect(Math.abs(value - (other?.value ?? Number.NaN)), name).toBeLessThanOrEqual(1e-4 * Math.abs(value) + 1e-9);
    }
  });
});

describe('memory', () => {
  it('of streamed scoring stays within four times the weights of a layer, the block inputs and what one batch needs', async () => {
    const size = {
      layers: 6,
      hiddenSize: 96,
      queryHeads: 4,
      keyValueHeads: 4,
      headDimension: 24,
      neurons: 768,
      vocabulary: 64,
      seed: 3,
    };
    using large = new OpenModel(runtime, randomLlama(size), { residentBytes: 0 });
    const [count, tokens] = [2, 8];
    const texts = Array.from({ length: count }, (_, window) =>
      Int32Array.from({ length: tokens }, (_, token) => (token * 7 + window) % 64),
    );
    runtime.resetPeak();
    const { kernelBytes } = await importance(large.programs, large.store, texts, {
      structuresOf: large.structuresOf,
      activationBytes: 0,
    });
    const peak = runtime.statistics().peakBytes + kernelBytes;
    const layer = 4 * (4 * 96 * 96 + 3 * 96 * 768);
    const inputs = 4 * size.layers * count * tokens * 96;
    // Of the 200 MB that the design allows beside weights and inputs, so short windows need little; six layers of weights at once would not fit.
    expect(peak).toBeLessThan(4 * layer + inputs + 1.5e6);
    // What must be there: a peak below it would mean that something is not counted.
    expect(peak).toBeGreaterThan(3 * layer + inputs);
  }, 30_000);
});
