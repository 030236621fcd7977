import { MismatchError, MissingError, UsageError } from '../errors.ts';
import { type GroupTable, groupTable } from '../importance/structures/group-table.ts';
import { METRICS, type Metric, type Scores } from '../importance/sums/scores.ts';
import type { FusionScope, Observation } from './fusion.ts';
import { fuseGeometric, fuseShared } from './fusion.ts';
import { randomScores } from './methods/random.ts';

/** A metric of a score file, or `random`, which needs none. */
export type MetricName = Metric | 'random';
const METRIC_NAMES: readonly MetricName[] = [...METRICS, 'random'];

/** Metrics that no score file holds, by name: importance of every group [groups] in the table's order. */
export type FurtherMetrics = ReadonlyMap<string, Float64Array>;

export interface MetricTerm {
  readonly metric: string;
  readonly weight: number;
}

/**
 * The terms of a metric expression: names joined by '+', each with an optional weight before it ('element-second+fisher', 'element-first+0.5*fisher').
 * Throws UsageError naming the part that is none.
 */
export function parseMetric(expression: string, further?: FurtherMetrics): readonly MetricTerm[] {
  const names: readonly string[] = [...METRIC_NAMES, ...(further?.keys() ?? [])];
  return expression.split('+').map((part) => {
    const [, factor = '1', name = ''] =
      /^\s*(?:([0-9]*\.?[0-9]+(?:e-?[0-9]+)?)\s*\*)?\s*([a-z0-9-]+)\s*$/.exec(part) ?? [];
    const metric = names.find((known) => known === name);
    const weight = Number(factor);
    if (!metric)
      throw new UsageError(
        `"${part}" in the metric "${expression}" is no metric. Metrics are ${names.join(', ')}, joined by "+", each with an optional weight ("0.5*fisher").`,
      );
    if (!(weight > 0))
      throw new UsageError(`The metric "${expression}" gives "${metric}" the weight ${factor}; a weight is above 0.`);
    return { metric, weight };
  });
}

/** Whether scores have every metric of an expression for every group; `random` needs none. Throws UsageError for what is no expression. */
export function hasMetrics(scores: Scores, expression: string): boolean {
  const { segments } = groupTable(scores.groups);
  return parseMetric(expression).every(
    ({ metric }) =>
      metric === 'random' ||
      segments.every(
        ({ layer, module, start, end }) => start === end || scores.layers[layer]?.[module]?.[metric as Metric],
      ),
  );
}

/** One metric of all groups in the table's order, float64. Throws MissingError where a layer lacks it, MismatchError for values that are no scores. */
export function metricScores(
  scores: Scores,
  table: GroupTable,
  metric: string,
  seed: number,
  further?: FurtherMetrics,
): Float64Array {
  if (metric === 'random') return randomScores(table.length, seed);
  const given = further?.get(metric);
  if (given && given.length !== table.length)
    throw new MismatchError(`"${metric}" has ${given.length} values for the ${table.length} groups of the model.`);
  if (given) return given;
  const flat = new Float64Array(table.length);
  for (const { layer, module, start, end } of table.segments) {
    if (start === end) continue; // a block that was removed before
    const modules = scores.layers[layer];
    const values = modules?.[module]?.[metric as Metric];
    if (!values) {
      const present = METRICS.filter((name) => modules?.[module]?.[name]);
      throw new MissingError(
        `The scores have no "${metric}" for ${module} in layer ${layer}; they have ${present.join(', ') || 'none'}. Score again with --metrics ${metric}.`,
      );
    }
    if (values.length !== end - start) {
      throw new MismatchError(
        `"${metric}" has ${values.length} values for the ${end - start} ${module} groups of layer ${layer}. Score this model again.`,
      );
    }
    flat.set(values, start);
  }
  // One pass instead of a test per value: a sum is finite only if all of its terms are.
  let sum = 0;
  for (let i = 0; i < flat.length; i++) sum += flat[i] as number;
  if (!Number.isFinite(sum)) throw notFinite(flat, table, metric);
  return flat;
}

function notFinite(flat: Float64Array, table: GroupTable, metric: string): MismatchError {
  const index = flat.findIndex((value) => !Number.isFinite(value));
  const segment = table.segments.find(({ end }) => index < end);
  return new MismatchError(
    `"${metric}" is ${flat[index]} for ${segment?.module} group ${index - (segment?.start ?? 0)} of layer ${segment?.layer}; scores must be finite. Score this model again.`,
  );
}

/**
 * The importance of every group [groups] by a metric expression: its terms fused as docs/method.md section 3 says.
 * Throws UsageError, MissingError or MismatchError as `parseMetric` and `metricScores` do.
 */
export function fusedImportance(
  scores: Scores,
  table: GroupTable,
  options: {
    readonly metric: string;
    readonly fusion: 'shared' | 'geometric';
    readonly scope: FusionScope;
    readonly seed: number;
    readonly further?: FurtherMetrics | undefined;
  },
): Float64Array {
  const { further } = options;
  const observations: Observation[] = parseMetric(options.metric, further).map(({ metric, weight }) => ({
    scores: metricScores(scores, table, metric, options.seed, further),
    weight,
  }));
  return options.fusion === 'geometric' ? fuseGeometric(observations) : fuseShared(observations, table, options.scope);
}
