import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FixtureName, openFixture } from '../architecture/testing/fixture.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { floatToHalf, halfToFloat } from '../checkpoint/half.ts';
import { HalfPrecisionError, UnsupportedError } from '../errors.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import { type ScoreOptions, score } from '../library/score.ts';
import { precisionsFor } from '../library/score-precision.ts';
import type { ScoreStateStore } from '../library/score-resume.ts';
import { ElementScorer } from '../runtime/kernels/run-element-scores.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { createNodeWebGpuRuntime } from '../runtime/node-webgpu.ts';
import { describeOnWebGpu, GPU_TIMEOUT } from '../runtime/testing/webgpu.ts';
import type { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { MODULES } from './structures/structures.ts';
import { METRICS, type Scores } from './sums/scores.ts';
import { spearmanRho } from './testing/rank-correlation.ts';

const drawnWindows = (count: number, vocabulary: number) =>
  Array.from({ length: count }, (_, window) =>
    Array.from({ length: 24 }, (_, token) => (token * token * 7 + window * 13) % vocabulary),
  );
const optionsFor = (vocabulary = 64): ScoreOptions => ({
  windows: drawnWindows(4, vocabulary),
  calibration: { source: 'drawn', sha256: '1'.repeat(64), seed: 0 },
});

describe('the precision of scoring', () => {
  const card = { name: 'card', vendor: '', architecture: '', software: false, halfPrecision: true };
  const on = (adapter: typeof card) => ({ backend: 'webgpu', adapter, description: 'WebGPU on a card' }) as const;

  test('is half on a graphics card that has it, where it is checked, with single to fall back on', () => {
    expect(precisionsFor(on(card), 'auto', true)).toEqual(['f16', 'f32']);
    expect(precisionsFor(on(card), 'auto', false)).toEqual(['f32']);
    expect(precisionsFor(on({ ...card, software: true }), 'auto', true)).toEqual(['f32']);
    expect(precisionsFor(on({ ...card, halfPrecision: false }), 'auto', true)).toEqual(['f32']);
    expect(precisionsFor(on(card), 'f32', true)).toEqual(['f32']);
    expect(precisionsFor(on({ ...card, software: true }), 'f16')).toEqual(['f16']);
  });

  test('cannot be half where the runtime does not compute in it', () => {
    for (const runtime of [
      on({ ...card, halfPrecision: false }),
      { backend: 'cpu', adapter: undefined, description: 'Node CPU' } as const,
    ])
      expect(() => precisionsFor(runtime, 'f16')).toThrow(
        new UnsupportedError(
          `Half precision (f16) was chosen for scoring, which ${runtime.description} does not compute in. Choose f32, or the webgpu backend on an adapter that has shader-f16.`,
        ),
      );
  });
});

describeOnWebGpu('scoring in half precision', { timeout: GPU_TIMEOUT }, () => {
  let card: WebGpuRuntime;
  beforeAll(async () => {
    card = await createNodeWebGpuRuntime();
  }, GPU_TIMEOUT);
  afterAll(() => {
    const { liveTensors, liveBytes } = card.statistics();
    expect({ liveTensors, liveBytes }).toEqual({ liveTensors: 0, liveBytes: 0 });
    card.dispose();
  });
  /** Software without it (SwiftShader); REQUIRE_F16 makes that a failure where adapters are tested. */
  const testInHalf: typeof test = ((name: string, run: () => Promise<void>) =>
    test(name, async ({ skip }) => (card.adapter?.halfPrecision ? run() : skip()))) as typeof test;
  const scored = async (checkpoint: Checkpoint, options: ScoreOptions) => {
    using open = new OpenModel(card, checkpoint, { residentBytes: 0 });
    return await score(open, options);
  };

  testInHalf('ranks the groups of a drawn model as single precision does, in half the memory of states', async () => {
    const sizes = { layers: 4, hiddenSize: 64, queryHeads: 16, keyValueHeads: 8, headDimension: 16, neurons: 96 };
    const checkpoint = randomLlama({ ...sizes, seed: 3 });
    const single = await scored(checkpoint, { ...optionsFor(), precision: 'f32' });
    const half = await scored(checkpoint, { ...optionsFor(), precision: 'f16' });
    expect([single.precision, half.precision]).toEqual(['f32', 'f16']);
    expect(Math.abs(half.scores.calibration.loss / single.scores.calibration.loss - 1)).toBeLessThan(1e-3);
    for (const metric of METRICS)
      for (const module of ['attention', 'mlp'] as const) {
        const all = ({ layers }: Scores) => layers.flatMap((layer) => [...(layer[module][metric] ?? [])]);
        expect(spearmanRho(all(single.scores), all(half.scores)), `${metric} of ${module}`).toBeGreaterThan(0.999);
      }
    expect(half.peakBytes).toBeLessThan(0.85 * single.peakBytes);
    expect(single.scores.engine).not.toHaveProperty('precision');
    expect(half.scores.engine).toMatchObject({ backend: 'webgpu', precision: 'f16' });
  });

  // Biases; norms of what is added and soft caps; convolutions and experts, whose router may choose otherwise where two are as good.
  test.for<FixtureName>(['llama-biases', 'gemma2', 'lfm2-moe'])(
    'of %s is that in single precision, within rounding',
    async (name, { skip }) => {
      if (!card.adapter?.halfPrecision) return skip();
      const { checkpoint, windows } = await openFixture(name);
      const scoredIn = async (precision: 'f32' | 'f16') =>
        (await scored(checkpoint, { ...optionsFor(), windows, precision })).scores.layers;
      const [single, half] = [await scoredIn('f32'), await scoredIn('f16')];
      let [groups, beyond] = [0, 0];
      for (const [index, layer] of single.entries())
        for (const module of MODULES)
          for (const metric of METRICS) {
            const values = layer[module]?.[metric] ?? new Float32Array();
            const scale = Math.max(...values.map(Math.abs));
            for (const [group, value] of values.entries()) {
              groups++;
              const found = half[index]?.[module]?.[metric]?.[group] ?? Number.NaN;
              if (!(Math.abs(found - value) <= 0.02 * scale)) beyond++;
            }
          }
      expect(groups).toBeGreaterThan(300);
      expect(beyond / groups).toBeLessThan(0.01);
    },
  );

  testInHalf('sums the same numbers to the same bits as in single precision', async () => {
    const scorer = new ElementScorer(card);
    for (const inputs of [20, 19]) {
      const sizes = { windows: 2, tokens: 7, inputs, outputs: 12 };
      const drawn = (rows: number, columns: number, seed: number) => ({
        shape: [rows, columns],
        bits: floatToHalf(Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(seed + 5 * index))),
      });
      const [x, dy, w] = [drawn(14, inputs, 1), drawn(14, 12, 2), drawn(12, inputs, 3)];
      const run = async (half: boolean) => {
        const put = ({ shape, bits }: typeof x) =>
          card.upload(
            half ? { dataType: 'float16', shape, data: bits } : { dataType: 'float32', shape, data: halfToFloat(bits) },
          );
        using input = put(x);
        using outputGradient = put(dy);
        using weight = put(w);
        using first = card.allocate('float32', w.shape);
        using second = card.allocate('float32', w.shape);
        using inverseScale = card.upload({ dataType: 'float32', shape: [], data: Float32Array.of(0.25) });
        const tensors = { input, outputGradient, weight, first, second, ...(half && { inverseScale }) };
        using totals = await scorer.score({ sizes, axis: 0, keep: 'sums', half }, tensors);
        const read = async (tensor: typeof first) => [...((await card.read(tensor)).data as Float32Array)];
        return { totals: await read(totals), first: await read(first), second: await read(second) };
      };
      const [single, half] = [await run(false), await run(true)];
      expect(half.first).toEqual(single.first.map((value) => value / 4));
      expect(half.second).toEqual(single.second.map((value) => value / 16));
      expect(half.totals).toEqual(single.totals.map((value) => value / 4));
    }
  });

  testInHalf('does not go on from a state of the other precision', async () => {
    const states: Record<string, Uint8Array> = {};
    const storeOf = (name: string): ScoreStateStore => ({
      name,
      load: async () => states[name],
      save: async (bytes) => {
        states[name] = bytes;
      },
      clear: async () => undefined,
    });
    const state = storeOf('state');
    const run = (precision: 'f32' | 'f16') => scored(randomLlama(), { ...optionsFor(), precision, state });
    expect((await run('f32')).resumedLayers).toBe(0);
    expect((await run('f16')).resumedLayers).toBe(0);
    expect((await run('f16')).resumedLayers).toBeGreaterThan(0);
    expect((await run('f32')).resumedLayers).toBe(0);
  });

  describe('of a model that grows beyond half precision', () => {
    const grown = () => {
      const checkpoint = randomLlama();
      const read = checkpoint.read.bind(checkpoint);
      return Object.assign(checkpoint, {
        read: async (name: string, rows?: Parameters<typeof read>[1]) => {
          const values = await read(name, rows);
          return name.endsWith('layers.1.mlp.down_proj.weight') ? values.map((value) => value * 1e5) : values;
        },
      });
    };

    testInHalf('says where, and what to do', async () => {
      const refused = scored(grown(), { ...optionsFor(), precision: 'f16' });
      await expect(refused).rejects.toThrow(HalfPrecisionError);
      await expect(refused).rejects.toThrow(
        /the output of layer 1 is .* at token \d+, channel \d+\. .* grew beyond what half precision holds \(65,504\), on the backend webgpu\. Score in single precision \(--precision f32\)\.$/,
      );
    });

    testInHalf('falls back to single precision where it was not chosen, and tells', async () => {
      using pretending = new OpenModel(withAdapter(card), grown(), { residentBytes: 0 });
      const run = await score(pretending, {
        ...optionsFor(),
        precision: 'auto',
        crossCheck: { start: () => createNodeRuntime({ threads: 1 }) },
      });
      expect(run.precision).toBe('f32');
      expect(run.notes).toMatchObject([{ code: 'single-precision' }]);
      expect(run.scores.engine.notes?.[0]).toMatch(
        /^Half precision did not suffice, and single precision was used\. The loss of a window cannot be told: .* \(--precision f32\)\.$/,
      );
    });
  });

  testInHalf('is given up where the processor computes something else', async () => {
    using open = new OpenModel(withAdapter(card), randomLlama(), { residentBytes: 0 });
    const wrong = async () => {
      const runtime = await createNodeRuntime({ threads: 1 });
      const create = runtime.createSession.bind(runtime);
      runtime.createSession = async (...call) => {
        const session = await create(...call);
        const run = session.run.bind(session);
        session.run = async (...given) => {
          const outputs = await run(...given);
          const { output } = outputs;
          if (output) await runtime.write(output, new Float32Array(output.byteLength / 4).fill(1));
          return outputs;
        };
        return session;
      };
      return runtime;
    };
    const run = await score(open, { ...optionsFor(), precision: 'auto', crossCheck: { start: wrong } });
    expect(run.precision).toBe('f32');
    expect(run.notes.map(({ code }) => code)).toEqual(['single-precision', 'backends-differ']);
    expect(run.notes[0]?.message).toContain(' in half precision and Node CPU, 1 thread disagree on layer 2: ');
  });
});

/** The same runtime, whose adapter is said to be a graphics card. */
function withAdapter(runtime: WebGpuRuntime): WebGpuRuntime {
  const adapter = runtime.adapter && { ...runtime.adapter, software: false };
  return new Proxy(runtime, {
    get: (target, key) => {
      if (key === 'adapter') return adapter;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
