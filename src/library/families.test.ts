import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { type FixtureName, openFixture, relativeDifference } from '../architecture/testing/fixture.ts';
import { diskFolder } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { decodeScores, encodeScores } from '../importance/files/score-file.ts';
import { MODULES } from '../importance/structures/structures.ts';
import { decodePlan, encodePlan } from '../plan/plan-file.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createWebRuntime } from '../runtime/web.ts';
import { OpenModel } from './open-model.ts';
import { planFor } from './plan.ts';
import { prune } from './prune-to-disk.ts';
import { recover } from './recover.ts';
import { score } from './score.ts';

/** Families whose layers are of several kinds, through every verb. */
const MIXTURES = ['qwen3-moe', 'lfm2-moe', 'gpt-oss'] as const satisfies readonly FixtureName[];
const FAMILIES: readonly FixtureName[] = ['lfm2-biases', 'qwen3-5', ...MIXTURES];

let folder: string;
let runtime: Runtime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-families-'));
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(async () => {
  runtime.dispose();
  await rm(folder, { recursive: true, force: true });
});

const calibration = { source: 'random', sha256: '0'.repeat(64), seed: 1 };

/** Windows in which every token follows from the one before, so that there is something to learn. */
function windowsOf(vocabulary: number, count: number): number[][] {
  const random = createRandom(3);
  return Array.from({ length: count }, () => {
    const start = random.integer(vocabulary);
    return Array.from({ length: 24 }, (_, index) => (start + 5 * index) % vocabulary);
  });
}

describe.each(FAMILIES)('%s', (name) => {
  test('is scored on WebAssembly as on the CPU', async () => {
    const { checkpoint, windows } = await openFixture(name);
    using web = await createWebRuntime({ backend: 'wasm', threads: 1 });
    using onCpu = new OpenModel(runtime, checkpoint);
    using onWasm = new OpenModel(web, checkpoint);
    const { scores: expected } = await score(onCpu, { windows, calibration });
    const { scores: found } = await score(onWasm, { windows, calibration });
    for (const [layer, modules] of expected.layers.entries())
      for (const module of MODULES)
        for (const [metric, values] of Object.entries(modules[module] ?? {}))
          expect(
            relativeDifference(found.layers[layer]?.[module]?.[metric as 'vector'] ?? [], values),
            `${metric} of ${module} in layer ${layer}`,
          ).toBeLessThan(metric === 'depth' ? 1e-3 : 1e-4);
    expect(await decodeScores(encodeScores(expected))).toEqual(expected);
  });

  test.each(['bias', 'least-squares'] as const)(
    'is planned, pruned (compensation %s), exported and opened again with equal logits',
    async (compensate) => {
      const { checkpoint, windows } = await openFixture(name);
      using open = new OpenModel(runtime, checkpoint);
      const { scores } = await score(open, { windows, calibration });
      const plan = planFor(open, scores, { target: { kind: 'ratio', value: 0.3 } });
      expect(Math.abs(plan.ratio - 0.3)).toBeLessThan(0.02);
      expect(decodePlan(encodePlan(plan))).toEqual(plan);
      const output = join(folder, `${name}-${compensate}`);
      const { pruned, exported } = await prune(open, { plan, compensate, windows, output });
      using model = pruned;
      expect(exported.parametersAfter).toBeLessThan(exported.parametersBefore);
      expect(exported.verification.maxAbsoluteDifference).toBeLessThan(1e-4);
      using again = new OpenModel(runtime, await openCheckpoint(await diskFolder(output)));
      expect(again.config.layerWidths).toEqual(model.config.layerWidths);
      const [window = []] = windows;
      const expected = await blockProgramLogits(model.programs, model.store)(window);
      expect(relativeDifference(await blockProgramLogits(again.programs, again.store)(window), expected)).toBeLessThan(
        1e-6,
      );
    },
  );

  test.each(['f16', 'q8'] as const)('is exported in %s, as near to the model as its numbers allow', async (dtype) => {
    const { checkpoint, windows } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    const { scores } = await score(open, { windows, calibration, metrics: ['vector'] });
    const plan = planFor(open, scores, { target: { kind: 'ratio', value: 0.2 }, metric: 'vector' });
    const { pruned, exported } = await prune(open, {
      plan,
      windows,
      dtype,
      output: join(folder, `${name}-${dtype}`),
    });
    pruned.dispose();
    expect(exported.verification.positions).toBeGreaterThan(0);
    expect(exported.verification.exceeded).toBeUndefined();
  });

  test('decodes token by token, and from a mark again, what it computes at once', async () => {
    const { checkpoint, windows } = await openFixture(name);
    using decoder = await decoderForModel(runtime, modelOf(checkpoint));
    const [window = [], other = []] = windows;
    using whole = decoder.start(64);
    const expected = await whole.appendForAllLogits([...window]);
    using stepwise = decoder.start(64);
    const vocabulary = expected.length / window.length;
    const logitsAt = (position: number) => expected.subarray(position * vocabulary, (position + 1) * vocabulary);
    for (const [position, token] of window.entries()) {
      const logits = await stepwise.append([token]);
      expect(relativeDifference(logits, logitsAt(position)), `position ${position}`).toBeLessThan(1e-5);
      if (position === 4) stepwise.mark();
    }
    stepwise.rewind();
    await stepwise.append([...other]);
    stepwise.rewind();
    const again = await stepwise.append(window.slice(5, 7));
    expect(relativeDifference(again, logitsAt(6))).toBeLessThan(1e-5);
  });

  test('is recovered', async () => {
    const { checkpoint } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    const examples = windowsOf(open.vocabulary, 8).map((tokens) => ({ tokens }));
    const { model, history } = await recover(open, {
      method: 'group-wise',
      steps: 4,
      learningRate: 0.02,
      groupSize: 16,
      examples,
    });
    model.dispose();
    const losses = history.map(({ loss, heldOutLoss }) => loss ?? heldOutLoss ?? Number.NaN);
    expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) - 0.3);
  });

  test('is refused as safetensors, by name', async () => {
    const { checkpoint, windows } = await openFixture(name);
    using open = new OpenModel(runtime, checkpoint);
    const { scores } = await score(open, { windows, calibration, metrics: ['vector'] });
    const plan = planFor(open, scores, { target: { kind: 'ratio', value: 0.2 }, metric: 'vector' });
    const output = join(folder, `${name}-safetensors`);
    await expect(prune(open, { plan, windows, output, formats: ['safetensors'] })).rejects.toThrow(
      new RegExp(`this model is ${open.config.architecture}`),
    );
  });
});

test.each(MIXTURES)('%s loses whole experts, and the router their rows', async (name) => {
  const { checkpoint, windows } = await openFixture(name);
  using open = new OpenModel(runtime, checkpoint);
  const { scores } = await score(open, { windows, calibration });
  expect(await decodeScores(encodeScores(scores))).toEqual(scores);
  const plan = planFor(open, scores, { target: { kind: 'ratio', value: 0.3 }, experts: 'whole' });
  expect(decodePlan(encodePlan(plan))).toEqual(plan);
  const { pruned } = await prune(open, { plan, windows });
  using model = pruned;
  const { mixture } = open.config;
  const kept = model.config.layerWidths.flatMap(({ experts }) => (experts ? [experts] : []));
  expect(kept.flat().every((neurons) => neurons === mixture?.neurons)).toBe(true);
  expect(kept.flat().length).toBeLessThan(kept.length * (mixture?.count ?? 0));
  const layer = open.config.layers - 1;
  const router = model.model.architecture.blockWeights(layer).find(({ input }) => input === 'mlp.router');
  expect(model.model.checkpoint.tensors.get(router?.tensor ?? '')?.shape).toEqual([
    model.config.layerWidths[layer]?.experts?.length,
    open.config.hiddenSize,
  ]);
});
