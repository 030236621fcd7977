import { EspalierError } from '../../../errors.ts';
import type { Plan, Target } from '../../../plan/plan.ts';
import type { PlanSummary } from './plan-outcome.ts';

export type TargetKind = Target['kind'];

/** The target that asks for what the plan at hand gives, in another unit; `undefined` where nothing is planned yet. */
export function translateTarget(
  kind: TargetKind,
  plan: Plan | undefined,
  summary: PlanSummary | undefined,
  ratio: number,
): Target | undefined {
  switch (kind) {
    case 'ratio':
      return { kind, value: Math.round(ratio * 1000) / 1000 };
    case 'parameters':
      return plan && { kind, value: plan.parametersAfter };
    case 'bytes':
      return summary && { kind, value: Math.round(summary.bytesAfter) };
    case 'memory': {
      if (!plan || !summary) return undefined;
      const { target } = plan.recipe;
      const context = target.kind === 'memory' ? target.context : summary.usualContext;
      return { kind, value: Math.round(summary.bytesAfter + cacheOf(summary, context)), context };
    }
  }
}

/** A target in memory for another context: what the plan at hand takes with a cache of that length, so that it stays in reach. */
export function withContext(
  target: Extract<Target, { readonly kind: 'memory' }>,
  context: number,
  summary: PlanSummary | undefined,
): Target {
  const change = summary ? cacheOf(summary, context) - cacheOf(summary, target.context) : 0;
  return { kind: 'memory', value: Math.max(0, Math.round(target.value + change)), context };
}

/** Nothing where the score file does not tell the head size; planning then says so. */
function cacheOf(summary: PlanSummary, context: number): number {
  try {
    return summary.cacheAfter(context);
  } catch (error) {
    if (error instanceof EspalierError) return 0;
    throw error;
  }
}
