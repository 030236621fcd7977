import { estimateAt, type RatioValue } from './estimate.ts';
import type { Measurements } from './measurements.ts';
import { ratioKey } from './sweep.ts';

/** Where a point of the curve comes from: measured here, or shipped with the page. */
export interface KnownPoint extends RatioValue {
  readonly error: number;
  readonly source: 'own' | 'shipped';
}

/** A value that was measured here, with its standard error. */
export type OwnPoint = Omit<KnownPoint, 'source'>;

/** Perplexities that were measured here, by ratio. */
export function perplexityPoints(measured: Measurements['perplexity']): OwnPoint[] {
  return [...measured].map(([ratio, { perplexity, standardError }]) => ({
    ...{ ratio, value: perplexity, error: standardError },
  }));
}

/** Divergences from the dense model that were measured here, by ratio: nats a token. */
export function divergencePoints(measured: Measurements['perplexity']): OwnPoint[] {
  return [...measured].flatMap(([ratio, { klDivergence, klStandardError = 0 }]) =>
    klDivergence === undefined || ratio === 0 ? [] : [{ ratio, value: klDivergence, error: klStandardError }],
  );
}

/** A quantity over the ratio, as far as it is known. */
export interface KnownCurve {
  /** In order of ratio; 0 is the dense model. */
  readonly points: readonly KnownPoint[];
  /** Points of the recipe before, shown while this one has too few of its own. */
  readonly isStale: boolean;
}

/** A value at a ratio, with where it comes from. */
export interface KnownValue {
  readonly value: number;
  /** Standard error over windows, where it was measured at this ratio. */
  readonly error: number | undefined;
  /** 'own': measured at this ratio here; 'shipped': measured at this ratio elsewhere; 'estimate': between measured ones; 'stale': from the recipe before. */
  readonly source: 'own' | 'shipped' | 'estimate' | 'stale';
}

/**
 * What is measured here, completed by what is shipped: shipped points stand where nothing was measured here, moved by the factor between the two dense models, since
 * texts and windows differ. With fewer than two points in all, `before` takes their place.
 */
export function knownCurve(
  measured: readonly OwnPoint[],
  shipped: readonly RatioValue[],
  before: KnownCurve | undefined,
): KnownCurve {
  const own = measured.map((point): KnownPoint => ({ ...point, source: 'own' }));
  const dense = [own.find(({ ratio }) => ratio === 0)?.value, shipped.find(({ ratio }) => ratio === 0)?.value];
  const factor = dense[0] !== undefined && dense[1] !== undefined ? dense[0] / dense[1] : 1;
  const measuredAt = new Set(own.map(({ ratio }) => ratio));
  const rest = shipped
    .filter(({ ratio }) => !measuredAt.has(ratioKey(ratio)))
    .map(({ ratio, value }): KnownPoint => ({ ratio, value: value * factor, error: 0, source: 'shipped' }));
  const points = [...own, ...rest].sort((a, b) => a.ratio - b.ratio);
  if (points.length < 2 && before && before.points.length > points.length) return { ...before, isStale: true };
  return { points, isStale: false };
}

/** The value at a ratio; undefined where the curve does not reach. */
export function valueOn({ points, isStale }: KnownCurve, ratio: number): KnownValue | undefined {
  const point = points.find((known) => known.ratio === ratioKey(ratio));
  if (point && isStale && ratio > 0) return { value: point.value, error: undefined, source: 'stale' };
  if (point) return { value: point.value, error: point.error || undefined, source: point.source };
  const value = estimateAt(points, ratio);
  return value === undefined ? undefined : { value, error: undefined, source: isStale ? 'stale' : 'estimate' };
}
