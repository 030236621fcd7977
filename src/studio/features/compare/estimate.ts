/** A measured or estimated value at one ratio. */
export interface RatioValue {
  readonly ratio: number;
  readonly value: number;
}

/**
 * Monotone cubic interpolation (Fritsch and Carlson 1980) of the logarithm of positive measured values: an estimate between measurements,
 * never beyond them. Undefined outside the measured span, or with fewer than two points.
 */
export function estimateAt(measured: readonly RatioValue[], ratio: number): number | undefined {
  const points = [...measured]
    .sort((a, b) => a.ratio - b.ratio)
    .map((point) => ({ x: point.ratio, y: Math.log(point.value) }));
  const index = points.findIndex((point, place) => place > 0 && ratio <= point.x);
  const [from, to] = [points[index - 1], points[index]];
  if (!from || !to || ratio < from.x) return undefined;
  const slopes = tangents(points);
  const width = to.x - from.x;
  const t = (ratio - from.x) / width;
  const [t2, t3] = [t * t, t * t * t];
  const y =
    (2 * t3 - 3 * t2 + 1) * from.y +
    (t3 - 2 * t2 + t) * width * (slopes[index - 1] ?? 0) +
    (3 * t2 - 2 * t3) * to.y +
    (t3 - t2) * width * (slopes[index] ?? 0);
  return Math.exp(y);
}

/** The curve of `estimateAt` over the measured span. */
export function estimateCurve(measured: readonly RatioValue[], steps = 48): RatioValue[] {
  const ratios = measured.map((point) => point.ratio);
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)];
  const curve: RatioValue[] = [];
  for (let step = 0; step <= steps; step += 1) {
    const ratio = low + ((high - low) * step) / steps;
    const value = estimateAt(measured, ratio);
    if (value !== undefined) curve.push({ ratio, value });
  }
  return curve;
}

function tangents(points: readonly { readonly x: number; readonly y: number }[]): number[] {
  const secants = points.slice(1).map((point, index) => {
    const before = points[index] ?? point;
    return (point.y - before.y) / (point.x - before.x || 1);
  });
  return points.map((_, index) => {
    const [left, right] = [secants[index - 1], secants[index]];
    if (left === undefined || right === undefined) return left ?? right ?? 0;
    if (left * right <= 0) return 0;
    // The harmonic mean keeps every piece monotone.
    return (2 * left * right) / (left + right);
  });
}
