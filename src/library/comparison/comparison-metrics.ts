import { FAST_METRICS, type Metric } from '../../importance/sums/metrics.ts';
import type { Method } from '../../plan/methods/methods.ts';
import { parseMetric } from '../../plan/metric.ts';

/** Searches that look at nothing but the metric. */
const PLAIN_SEARCHES: readonly string[] = ['tempered', 'global', 'uniform'];

/**
 * What has to be scored for some methods: the metrics without weight gradients, at half the cost, where every method plans by these, by numbers that are drawn, or by what it computes on
 * the model itself. Undefined: all of them.
 */
export function comparisonMetrics(methods: readonly Method[]): readonly Metric[] | undefined {
  const known: readonly string[] = [...FAST_METRICS, 'random'];
  const isFast = ({ recipe: { metric, search }, planning, modelMetric }: Method) =>
    planning === undefined &&
    PLAIN_SEARCHES.includes(search ?? '') &&
    parseMetric(metric ?? '', modelMetric && new Map([[modelMetric, new Float64Array()]])).every(
      (term) => known.includes(term.metric) || term.metric === modelMetric,
    );
  return methods.every(isFast) ? FAST_METRICS : undefined;
}
