import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { formatPerplexity } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { valueOn } from '../compare/known-curve.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { type PairedFactor, pairedFactor } from '../compare/paired.ts';
import { estimatedDecodeRatio, isNoDifference } from '../compare/speed-ratio.ts';
import { ratioKey } from '../compare/sweep.ts';
import { useKnownCurve } from '../compare/use-known-curve.ts';
import { usePlan } from '../plan/use-plan.ts';
import { useDtype } from '../take-away/use-dtype.ts';

const TAGS = {
  own: undefined,
  estimate: undefined,
  shipped: 'measured by us on cpu',
  stale: 'from the recipe before',
} as const;

/** Perplexity of the present plan: of the built file in its own number format, as measured, or as it is known so far. Undefined where nothing is known. */
export function usePerplexityFigure() {
  const outcome = usePlan();
  const curve = useKnownCurve();
  const dtype = useDtype();
  const measured = useCurrentMeasurements();
  if (!outcome?.ok) return undefined;
  const ratio = ratioKey(outcome.plan.ratio);
  const known = valueOn(curve, ratio);
  const dense = valueOn(curve, 0)?.value;
  const built = measured.exported.get(`${ratio} ${dtype}`);
  if (built)
    return {
      ...{ value: built.perplexity, dense, isExact: true, tag: `of the built ${dtype} file` },
      beside: besides(built.perplexity, dense, built.standardError, pairOf(measured.perplexity.get(0), built)),
    };
  if (!known) return undefined;
  const { value, error, source } = known;
  const pruned = source === 'own' ? measured.perplexity.get(ratio) : undefined;
  return {
    ...{ value, dense, isExact: source === 'own', tag: TAGS[source] },
    beside: besides(value, dense, error, pairOf(measured.perplexity.get(0), pruned)),
  };
}

function pairOf(dense: PerplexityMeasurement | undefined, pruned: PerplexityMeasurement | undefined) {
  return dense && pruned && dense !== pruned ? pairedFactor(dense, pruned) : undefined;
}

/** '×1.09 ± 0.01 paired', or with the error of the value alone where windows cannot be paired. */
function besides(
  value: number,
  dense: number | undefined,
  error: number | undefined,
  paired: PairedFactor | undefined,
): string {
  if (paired) return `×${formatTimes(paired.factor)} ± ${paired.error.toFixed(2)} paired`;
  const times = dense === undefined ? '' : `×${formatTimes(value / dense)}`;
  return [times, error === undefined ? '' : `± ${formatPerplexity(error)}`].filter(Boolean).join(' · ');
}

/** Decode speed of the present plan against the dense model, with its interval. Undefined where nothing is known. */
export function useSpeedFigure() {
  const outcome = usePlan();
  const measured = useCurrentMeasurements();
  const measuring = useStudio(({ tasks }) => tasks.speed !== undefined);
  if (!outcome?.ok) return undefined;
  const { ratio } = outcome.plan;
  const pair = measured.speed.get(ratioKey(ratio));
  if (!pair) {
    const estimate = estimatedDecodeRatio(measured.speed, ratio);
    if (estimate !== undefined)
      return { value: `≈ ×${formatTimes(estimate)}`, isEstimate: true, beside: 'between measured' };
    return { value: undefined, isEstimate: false, beside: measuring ? 'measuring' : 'not measured yet' };
  }
  const { value, low, high } = pair.decode;
  if (!Number.isFinite(high)) return { value: undefined, isEstimate: false, beside: 'too slow to compare in the time' };
  const span = `${formatTimes(low)}–${formatTimes(high)}`;
  return {
    value: `×${formatTimes(value)}`,
    isEstimate: false,
    beside: isNoDifference(pair.decode) ? `${span}, no difference measured` : span,
  };
}

/** 1.09, 2.3, 14: a factor in three figures at most. */
export function formatTimes(factor: number): string {
  if (factor < 2) return factor.toFixed(2);
  return factor < 10 ? factor.toFixed(1) : String(Math.round(factor));
}
