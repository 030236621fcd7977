import { UsageError } from '../errors.ts';
import type { LayerGroups } from '../importance/structures/structures.ts';
import { METRICS, type Metric, type ModuleScores, type Scores } from '../importance/sums/scores.ts';
import type { Plan } from './plan.ts';

/** Metrics of which a group's value is no sum over its parts. */
const MEANS: readonly Metric[] = ['stability', 'depth', 'flap', 'flap-standardised'];

/**
 * Scores in which an expert is one group: in layers with experts the score of an expert is the sum of those of its neurons (or their mean, where a metric is no sum), and it
 * has their parameters. `neurons` gives a plan of such groups as one of neurons. Throws UsageError for a model without experts.
 */
export function byExpert(scores: Scores): { readonly scores: Scores; readonly neurons: (plan: Plan) => Plan } {
  const expertsOf = (layer: number) => scores.groups[layer]?.mlp.experts;
  if (scores.groups.every((_, layer) => !expertsOf(layer)))
    throw new UsageError('This model has no experts that could go as a whole. Leave the option experts out.');
  const groups = scores.groups.map((layer): LayerGroups => {
    const { experts, perToken = 1 } = layer.mlp;
    if (!experts || experts.length === 0) return layer;
    const neurons = layer.mlp.groups / experts.length;
    return {
      ...layer,
      mlp: {
        groups: experts.length,
        parametersPerGroup: Math.round(layer.mlp.parametersPerGroup * neurons),
        minimum: Math.min(perToken, experts.length),
      },
    };
  });
  const layers = scores.layers.map((modules, layer) => {
    const experts = expertsOf(layer);
    return experts ? { ...modules, mlp: folded(modules.mlp, experts) } : modules;
  });
  return {
    scores: { ...scores, groups, layers },
    neurons: (plan) => ({
      ...plan,
      layers: plan.layers.map((kept, layer) => {
        const experts = expertsOf(layer);
        return experts ? { ...kept, mlp: neuronsOf(experts, kept.mlp) } : kept;
      }),
    }),
  };
}

function folded(scores: ModuleScores, experts: readonly number[]): ModuleScores {
  const result: Partial<Record<Metric, Float32Array>> = {};
  for (const metric of METRICS) {
    const values = scores[metric];
    if (!values) continue;
    let start = 0;
    result[metric] = Float32Array.from(experts, (neurons) => {
      const sum = values.subarray(start, start + neurons).reduce((total, value) => total + value, 0);
      start += neurons;
      return MEANS.includes(metric) ? sum / Math.max(1, neurons) : sum;
    });
  }
  return result;
}

function neuronsOf(experts: readonly number[], kept: readonly number[]): number[] {
  const starts = experts.map((_, expert) => experts.slice(0, expert).reduce((sum, count) => sum + count, 0));
  return kept.flatMap((expert) =>
    Array.from({ length: experts[expert] ?? 0 }, (_, neuron) => (starts[expert] ?? 0) + neuron),
  );
}
