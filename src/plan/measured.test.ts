import { describe, expect, it } from 'vitest';
import { CancelledError, UsageError } from '../errors.ts';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import type { Progress } from '../progress.ts';
import { makePlan } from './make-plan.ts';
import { searchMeasured } from './measured.ts';
import { candidatePlans, planSignature } from './measured-candidates.ts';
import { SCORE_METHODS } from './methods/methods.ts';
import type { LayerPlan } from './plan.ts';
import { decodePlan, encodePlan } from './plan-file.ts';
import type { PlanOptions } from './plan-options.ts';
import { SEARCHES } from './search/searches.ts';

const scores = syntheticScores({
  layers: 6,
  attentionGroups: 4,
  neurons: 48,
  attentionParameters: 1536,
  neuronParameters: 96,
});
const base: PlanOptions = { target: { kind: 'ratio', value: 0.4 }, protect: [2] };

/** A model of which everything is known: what a removed group costs is its element-second score, attention that of `attention` times as much. */
function knownLoss(attention: number, tilt = 0) {
  let calls = 0;
  const lossOf = async (layers: readonly LayerPlan[]) => {
    calls++;
    let loss = 2;
    for (const [index, layer] of layers.entries()) {
      for (const kind of ['attention', 'mlp'] as const) {
        const kept = new Set(layer[kind]);
        const factor = (kind === 'attention' ? attention : 1) * Math.exp(tilt * index);
        scores.layers[index]?.[kind]['element-second']?.forEach((cost, group) => {
          if (!kept.has(group)) loss += 1e-3 * factor * cost;
        });
      }
    }
    return loss;
  };
  return { lossOf, calls: () => calls };
}

describe('the measured search', () => {
  it('is never worse than any closed-form search or baseline of the same size', async () => {
    for (const [attention, tilt] of [
      [1, 0],
      [0.2, 0.3],
      [5, -0.4],
    ] as const) {
      const { lossOf } = knownLoss(attention, tilt);
      const found = await searchMeasured(scores, base, { lossOf });
      expect(await lossOf(found.plan.layers)).toBe(found.loss);
      const size = found.plan.parametersAfter;
      for (const { name } of SEARCHES) {
        const plan = makePlan(scores, {
          ...base,
          search: name,
          metric: name === 'depth' ? 'depth' : 'element-second+fisher',
        });
        if (plan.parametersAfter <= size) expect(found.loss, name).toBeLessThanOrEqual(await lossOf(plan.layers));
      }
      for (const { name, metric, search } of SCORE_METHODS.filter(({ isVariant }) => !isVariant)) {
        const plan = makePlan(scores, { ...base, metric, search });
        if (plan.parametersAfter <= size) expect(found.loss, name).toBeLessThanOrEqual(await lossOf(plan.layers));
      }
    }
  });

  it('finds numbers that no closed form has: attention that matters less, layers that matter more', async () => {
    const { lossOf } = knownLoss(0.1, 0.5);
    const { loss, measurements, candidates, plan } = await searchMeasured(scores, base, { lossOf });
    const bestCandidate = Math.min(...measurements.slice(0, candidates).map((measurement) => measurement.loss));
    expect(loss).toBeLessThan(bestCandidate - 0.05 * (bestCandidate - 2));
    expect(plan.recipe).toMatchObject({ search: 'tempered', balance: {} });
  });

  it('measures every different plan once and stays within its evaluations', async () => {
    for (const evaluations of [0, 3, 20]) {
      const { lossOf, calls } = knownLoss(0.2, 0.3);
      const { measurements, candidates } = await searchMeasured(scores, base, { lossOf, evaluations });
      expect(calls()).toBe(measurements.length);
      expect(measurements.length).toBeLessThanOrEqual(candidates + evaluations);
      expect(new Set(measurements.map(({ plan }) => planSignature(plan))).size).toBe(measurements.length);
    }
  });

  it('gives the same every time, and a recipe that gives its plan again from the scores', async () => {
    const [a, b] = [
      await searchMeasured(scores, base, knownLoss(0.3, 0.2)),
      await searchMeasured(scores, base, knownLoss(0.3, 0.2)),
    ];
    expect(a).toEqual(b);
    expect(a.plan.recipe.measured).toEqual({ loss: a.loss, evaluations: a.measurements.length });
    const { model: _, calibration: __, ...recipe } = decodePlan(encodePlan(a.plan)).recipe;
    expect(makePlan(scores, recipe)).toEqual(a.plan);
  });

  it('keeps to the target and the constraints in everything that it measures', async () => {
    const asked: PlanOptions = { ...base, minimumNeurons: 20, roundTo: 4, target: { kind: 'ratio', value: 0.3 } };
    const { measurements } = await searchMeasured(scores, asked, knownLoss(0.2));
    for (const { name, plan } of measurements) {
      if (name === 'depth') continue; // whole blocks, as many neurons as they have
      expect(Math.abs(plan.ratio - 0.3), name).toBeLessThan(0.02);
      expect(plan.layers[2]).toEqual({
        attention: [0, 1, 2, 3],
        mlp: Array.from({ length: 48 }, (_, neuron) => neuron),
      });
      for (const { mlp } of plan.layers) expect(mlp.length % 4 === 0 && mlp.length >= 20, name).toBe(true);
    }
  });

  it('leaves out what was not scored and whole blocks that come out smaller', () => {
    const names = candidatePlans(scores, base).map(({ name }) => name);
    expect(names[0]).toBe('tempered');
    expect(names).toContain('global');
    expect(names).toContain('flap');
    const fewer = {
      ...scores,
      layers: scores.layers.map(({ attention, mlp }) => {
        const { stability: _, 'flap-standardised': __, ...rest } = attention;
        const { stability: ___, 'flap-standardised': ____, ...others } = mlp;
        return { attention: rest, mlp: others };
      }),
    };
    const without = candidatePlans(fewer, base).map(({ name }) => name);
    expect(without.filter((name) => name.startsWith('stability') || name === 'flap')).toEqual([]);
    const first = makePlan(scores, base);
    for (const { name, plan } of candidatePlans(scores, base))
      expect(plan.parametersAfter - first.parametersAfter, name).toBeLessThanOrEqual(1536);
  });

  it('tells of its progress to the end and stops when it is told to', async () => {
    const events: Progress[] = [];
    await searchMeasured(scores, base, {
      ...knownLoss(0.5),
      evaluations: 4,
      onProgress: (event) => events.push(event),
    });
    const last = events.at(-1);
    expect(last?.completed).toBe(last?.total);
    events.forEach(({ completed, total, stage }, index) => {
      expect({ stage, total }).toEqual({ stage: 'measuring', total: last?.total });
      expect(completed).toBeGreaterThanOrEqual(events[index - 1]?.completed ?? 0);
    });
    const controller = new AbortController();
    const { lossOf, calls } = knownLoss(1);
    const onProgress = ({ completed }: Progress) => completed === 3 && controller.abort();
    await expect(
      searchMeasured(scores, base, { lossOf, signal: controller.signal, onProgress }),
    ).rejects.toBeInstanceOf(CancelledError);
    expect(calls()).toBe(4);
    await expect(searchMeasured(scores, base, { lossOf, evaluations: -1 })).rejects.toBeInstanceOf(UsageError);
  });

  it('takes a model that breaks for the worst, not for the best', async () => {
    const { lossOf } = knownLoss(1);
    const [first] = candidatePlans(scores, base);
    const broken = async (layers: readonly LayerPlan[]) =>
      planSignature({ layers }) === planSignature(first?.plan ?? { layers: [] }) ? Number.NaN : lossOf(layers);
    const { loss, measurements } = await searchMeasured(scores, base, { lossOf: broken });
    expect(measurements[0]?.loss).toBe(Number.POSITIVE_INFINITY);
    expect(Number.isFinite(loss)).toBe(true);
  });
});
