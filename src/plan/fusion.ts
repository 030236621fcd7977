import type { GroupTable, Segment } from '../importance/structures/group-table.ts';
import { MODULES } from '../importance/structures/structures.ts';

/** Over which groups one noise scale is shared: the whole model, a module type, or a layer and module. */
export type FusionScope = 'model' | 'module' | 'layer';

/** One metric's scores of all groups [groups], not negative, and how much it counts. */
export interface Observation {
  readonly scores: Float64Array;
  readonly weight: number;
}

/**
 * Adaptive importance fusion with one noise scale per metric and scope, in closed form (docs/method.md section 3, our reading of the paper):
 * the minimum of sum_m I_m / (2 sigma_m^2) + log sigma_m has sigma_m^2 = mean of I_m over the scope, and the fused score is
 * sum_m weight_m I_m / sigma_m^2. A metric that is zero all over a scope adds nothing there. Returns [groups].
 */
export function fuseShared(observations: readonly Observation[], table: GroupTable, scope: FusionScope): Float64Array {
  const fused = new Float64Array(table.length);
  for (const segments of scopeSegments(table, scope)) {
    for (const { scores, weight } of observations) {
      const variance = meanOver(scores, segments);
      if (variance === 0) continue;
      const factor = weight / variance;
      for (const { start, end } of segments) {
        for (let i = start; i < end; i++) fused[i] = (fused[i] as number) + (scores[i] as number) * factor;
      }
    }
  }
  return fused;
}

/**
 * Fusion with one noise scale per structure, which becomes the weighted geometric mean of the metrics (docs/method.md section 3):
 * prod_m I_m^(weight_m / sum of weights). It knows no scope. Returns [groups].
 */
export function fuseGeometric(observations: readonly Observation[]): Float64Array {
  const total = observations.reduce((sum, { weight }) => sum + weight, 0);
  const fused = new Float64Array(observations[0]?.scores.length ?? 0).fill(1);
  for (const { scores, weight } of observations) {
    for (let i = 0; i < fused.length; i++) fused[i] = (fused[i] as number) * (scores[i] as number) ** (weight / total);
  }
  return fused;
}

/** The segments that share one noise scale, scope by scope. */
function scopeSegments(table: GroupTable, scope: FusionScope): readonly (readonly Segment[])[] {
  switch (scope) {
    case 'model':
      return [table.segments];
    case 'module':
      return MODULES.map((module) => table.segments.filter((segment) => segment.module === module));
    case 'layer':
      return table.segments.map((segment) => [segment]);
  }
}

/** Mean over spans, summed in float64 in a fixed order; 0 of nothing. */
export function meanOver(
  values: Float64Array,
  spans: readonly { readonly start: number; readonly end: number }[],
): number {
  let sum = 0;
  let count = 0;
  for (const { start, end } of spans) {
    for (let i = start; i < end; i++) sum += values[i] as number;
    count += end - start;
  }
  return count === 0 ? 0 : sum / count;
}
