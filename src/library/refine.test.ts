import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancelledError, MismatchError, UsageError } from '../errors.ts';
import { divergenceFrom, teach } from '../evaluate/divergence/teacher.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { randomLlama } from '../export/testing/random-llama.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { makePlan } from '../plan/make-plan.ts';
import { SEARCHES } from '../plan/search/searches.ts';
import { createRandom } from '../random.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { compare } from './comparison/compare.ts';
import { OpenModel } from './open-model.ts';
import { planInPasses } from './plan-in-passes.ts';
import { refine } from './refine.ts';
import { score } from './score.ts';

const random = createRandom(12);
const draw = (count: number) =>
  Array.from({ length: count }, () => Int32Array.from({ length: 16 }, () => random.integer(64)));
const [windows, measureWindows] = [draw(6), draw(6)];
const calibration = { source: 'drawn', sha256: '0'.repeat(64), seed: 0 };
const target = { kind: 'ratio', value: 0.4 } as const;

let runtime: Runtime;
let open: OpenModel;
let scores: Scores;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  open = new OpenModel(
    runtime,
    randomLlama({ layers: 3, neurons: 64, queryHeads: 8, keyValueHeads: 4, headDimension: 8, seed: 4 }),
  );
  scores = (await score(open, { windows, calibration })).scores;
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

async function lossOf(layers: Parameters<OpenModel['pruned']>[0], measure: 'kl' | 'perplexity'): Promise<number> {
  using pruned = open.pruned(layers);
  if (measure === 'kl') {
    const teacher = await teach(open.programs, open.store, measureWindows);
    return (await divergenceFrom(pruned.programs, pruned.store, teacher)).klDivergence;
  }
  return (await perplexity(pruned.programs, pruned.store, measureWindows)).loss;
}

describe('refine', () => {
  it.each(['kl', 'perplexity'] as const)(
    'measures %s of real pruned models: that of the plan, and no search from scores alone is better',
    async (measure) => {
      const before = runtime.statistics();
      const found = await refine(open, scores, {
        plan: { target },
        windows: measureWindows,
        ...(measure === 'perplexity' && { measure }),
      });
      expect(found.plan.recipe.measured?.of).toBe(measure);
      expect(found.loss).toBe(await lossOf(found.plan.layers, measure));
      for (const { name, unit } of SEARCHES) {
        if (unit === 'block') continue;
        expect(found.loss, name).toBeLessThanOrEqual(
          await lossOf(makePlan(scores, { target, search: name }).layers, measure),
        );
      }
      const after = runtime.statistics();
      expect(after.liveTensors).toBe(before.liveTensors);
      // One compiled block serves all widths that were measured.
      expect(after.sessionsCreated - before.sessionsCreated).toBeLessThanOrEqual(5);
    },
  );

  it('leaves nothing when it is cancelled, and refuses scores of another model and no text', async () => {
    const before = runtime.statistics().liveTensors;
    const controller = new AbortController();
    const onProgress = ({ completed }: { readonly completed: number }) => completed === 2 && controller.abort();
    await expect(
      refine(open, scores, { plan: { target }, windows: measureWindows, signal: controller.signal, onProgress }),
    ).rejects.toBeInstanceOf(CancelledError);
    expect(runtime.statistics().liveTensors).toBe(before);
    using other = new OpenModel(runtime, randomLlama({ layers: 2 }));
    await expect(refine(other, scores, { plan: { target }, windows: measureWindows })).rejects.toBeInstanceOf(
      MismatchError,
    );
    await expect(refine(open, scores, { plan: { target }, windows: [] })).rejects.toBeInstanceOf(UsageError);
  });
});

describe('planning in passes', () => {
  it('scores the pruned model: the second pass plans by what its own scores say', async () => {
    const plan = await planInPasses(open, { plan: { target }, passes: 2, windows, calibration, scores });
    const first = makePlan(scores, { target: { kind: 'ratio', value: 0.2 }, gamma: 0 });
    using half = open.pruned(first.layers);
    const again = (await score(half, { windows, calibration })).scores;
    const prunable = scores.groups.reduce(
      (sum, { attention, mlp }) =>
        sum + attention.groups * attention.parametersPerGroup + mlp.groups * mlp.parametersPerGroup,
      0,
    );
    const second = makePlan(again, {
      target: { kind: 'parameters', value: scores.model.parameters - 0.4 * prunable },
      gamma: 0,
      minimumNeurons: 8,
    });
    plan.layers.forEach(({ attention, mlp }, layer) => {
      expect(mlp).toEqual(second.layers[layer]?.mlp.map((place) => first.layers[layer]?.mlp[place]));
      expect(attention).toEqual(second.layers[layer]?.attention.map((place) => first.layers[layer]?.attention[place]));
    });
  });
});

it('compare takes the methods that need the model', async () => {
  const texts = [{ name: 'drawn', windows: draw(3) }];
  const calibrate = async (seed: number) => ({ seed, scores, compensationWindows: windows, windows, measureWindows });
  const rows = await compare(open, {
    methods: ['saap', 'saap-measured', 'saap-passes+bias'],
    ratios: [0.3],
    seeds: [0],
    texts,
    calibrate,
  });
  expect(rows.map(({ method }) => method)).toEqual(['dense', 'saap', 'saap-measured', 'saap-passes+bias']);
  const [, closed = 0, measured = 0, passes = 0] = rows.map(({ removedParameters }) => removedParameters);
  const neuron = 3 * open.config.hiddenSize;
  expect(Math.abs(passes - closed)).toBeLessThanOrEqual(neuron);
  // Of plans that are measured, those of whole blocks may remove more.
  expect(measured).toBeGreaterThanOrEqual(closed - neuron);
  const bare = async (seed: number) => ({ seed, scores, compensationWindows: windows });
  await expect(
    compare(open, { methods: ['saap-measured'], ratios: [0.3], seeds: [0], texts, calibrate: bare }),
  ).rejects.toBeInstanceOf(UsageError);
});
