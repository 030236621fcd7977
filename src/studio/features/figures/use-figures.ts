import type { Estimate } from '../../../evaluate/speed/paired-ratio.ts';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { formatNats, formatPerplexity } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { type KnownCurve, type KnownValue, valueOn } from '../compare/known-curve.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { type PairedFactor, pairedFactor } from '../compare/paired.ts';
import { formatTimes, guessedDecodeRatio, isNoDifference } from '../compare/speed-ratio.ts';
import { ratioKey } from '../compare/sweep.ts';
import { useKnownCurve, useKnownDivergence } from '../compare/use-known-curve.ts';
import { useKnownSpeed } from '../compare/use-known-speed.ts';
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
      ...besides(built.perplexity, dense, built.standardError, pairOf(measured.perplexity.get(0), built)),
    };
  if (!known) return undefined;
  const { value, error, source } = known;
  const pruned = source === 'own' ? measured.perplexity.get(ratio) : undefined;
  return {
    ...{ value, dense, isExact: source === 'own', tag: TAGS[source] },
    ...besides(value, dense, error, pairOf(measured.perplexity.get(0), pruned)),
  };
}

/** KL divergence of the present plan from the dense model, in nats a token: as measured, or as it is known so far. Undefined where nothing is known. */
export function useDivergenceFigure() {
  const outcome = usePlan();
  const curve = useKnownDivergence();
  if (!outcome?.ok) return undefined;
  const ratio = ratioKey(outcome.plan.ratio);
  if (ratio === 0) return { text: 'KL 0', isExact: true };
  const known = valueOn(curve, ratio) ?? belowFirst(curve, ratio);
  if (!known) return undefined;
  const isExact = known.source === 'own';
  const error = known.error === undefined ? '' : ` ± ${formatNats(known.error)}`;
  return { text: `KL ${isExact ? '' : '≈ '}${formatNats(known.value)}${error}`, isExact };
}

/** Between the dense model, whose divergence is 0, and the first ratio that is known: in proportion. */
function belowFirst({ points: [first] }: KnownCurve, ratio: number): KnownValue | undefined {
  if (!first || ratio > first.ratio) return undefined;
  return { value: (first.value * ratio) / first.ratio, error: undefined, source: 'estimate' };
}

function pairOf(dense: PerplexityMeasurement | undefined, pruned: PerplexityMeasurement | undefined) {
  return dense && pruned && dense !== pruned ? pairedFactor(dense, pruned) : undefined;
}

/** '×1.09 ± 0.01' and 'paired', or with the error of the value alone where windows cannot be paired. */
function besides(
  value: number,
  dense: number | undefined,
  error: number | undefined,
  paired: PairedFactor | undefined,
): { readonly beside: string; readonly more?: string } {
  if (paired) return { beside: `×${formatTimes(paired.factor)} ± ${paired.error.toFixed(2)}`, more: 'paired' };
  const times = dense === undefined ? '' : `×${formatTimes(value / dense)}`;
  return { beside: [times, error === undefined ? '' : `± ${formatPerplexity(error)}`].filter(Boolean).join(' · ') };
}

interface SpeedFigure {
  readonly value: string | undefined;
  readonly isEstimate: boolean;
  readonly beside: string;
  /** What a narrow screen leaves out. */
  readonly more?: string;
}

/** Decode speed of the present plan against the dense model, with its interval. Undefined where nothing is known. */
export function useSpeedFigure(): SpeedFigure | undefined {
  const outcome = usePlan();
  const { speed, isStale } = useKnownSpeed();
  const measuring = useStudio(({ tasks }) => tasks.speed !== undefined);
  const soFar = useStudio((state) => state.speedSoFar);
  if (!outcome?.ok) return undefined;
  const { ratio } = outcome.plan;
  const pair = isStale ? undefined : speed.get(ratioKey(ratio));
  if (pair) {
    if (!Number.isFinite(pair.decode.high))
      return { value: undefined, isEstimate: false, beside: 'too slow to compare in the time' };
    return { value: `×${formatTimes(pair.decode.value)}`, isEstimate: false, ...intervalOf(pair.decode) };
  }
  if (soFar && soFar.ratio === ratioKey(ratio))
    return {
      ...{ value: `≈ ×${formatTimes(soFar.decode.value)}`, isEstimate: true },
      ...{ beside: spanOf(soFar.decode), more: `· ${soFar.rounds} rounds` },
    };
  const guess = guessedDecodeRatio(speed, ratio);
  if (guess)
    return {
      ...{ value: `≈ ×${formatTimes(guess.value)}`, isEstimate: true },
      beside: isStale ? TAGS.stale : guess.from,
    };
  return { value: undefined, isEstimate: false, beside: measuring ? 'measuring' : 'not measured' };
}

const spanOf = ({ low, high }: Estimate) => `${formatTimes(low)}–${formatTimes(high)}`;

function intervalOf(ratio: Estimate): { readonly beside: string; readonly more?: string } {
  return { beside: spanOf(ratio), ...(isNoDifference(ratio) && { more: '· no difference measured' }) };
}
