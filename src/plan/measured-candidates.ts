import { MissingError, UsageError } from '../errors.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { makePlan } from './make-plan.ts';
import { hasStability, type Point } from './measured-coordinates.ts';
import { SAAP, SCORE_METHODS } from './methods/methods.ts';
import type { Plan } from './plan.ts';
import type { PlanOptions } from './plan-options.ts';
import { SEARCHES } from './search/searches.ts';

/** A plan that the measured search tries before it walks. */
export interface Candidate {
  readonly name: string;
  readonly plan: Plan;
  /** Where it lies among the points that can be walked from. */
  readonly point?: Point;
}

/** Baselines bring their own score and selection; what else the person asked for holds for them too. */
const OWN = ['metric', 'fusion', 'fusionScope', 'search', 'gamma', 'stability', 'balance'] as const;

/**
 * Every closed-form variant of docs/method.md section 4 on the recipe's score, and every baseline's ranking, as different plans of the same size: what needs a
 * metric that was not scored, cannot reach the target, or removes less than the others (whole blocks) is left out. The recipe itself comes first.
 * Throws what `makePlan` throws where the recipe itself cannot be planned.
 */
export function candidatePlans(scores: Scores, base: PlanOptions): readonly Candidate[] {
  const first = makePlan(scores, { ...base, search: 'tempered' });
  const stability = base.stability ?? 0;
  const at = (gamma: number, exponent: number): Point => ({
    attention: 0,
    gamma,
    depth: 0,
    mix: 0,
    stability: exponent,
  });
  const gamma = base.gamma ?? first.ratio;
  const found: Candidate[] = [{ name: 'tempered', plan: first, point: at(gamma, stability) }];
  const add = (name: string, options: PlanOptions, point?: Point) => {
    const plan = planOrNothing(scores, options);
    if (plan && sizeOf(plan) >= sizeOf(first) - largestGroup(scores))
      found.push({ name, plan, ...(point && { point }) });
  };

  add('global', { ...base, search: 'global' }, at(0, stability));
  add('relative', { ...base, search: 'relative' }, at(1, stability));
  if (hasStability(scores)) {
    for (const exponent of [-1, 1])
      add(`stability ${exponent}`, { ...base, search: 'tempered', stability: exponent }, at(gamma, exponent));
  }
  const { balance: _, ...unbalanced } = base;
  for (const { name, balanced, unit } of SEARCHES)
    if (!balanced && unit === 'group') add(name, { ...unbalanced, search: name });

  const shared = Object.fromEntries(
    Object.entries(base).filter(([key]) => !OWN.some((own) => own === key)),
  ) as unknown as PlanOptions;
  for (const { name, metric, search, fusion, fusionScope, isVariant } of SCORE_METHODS) {
    if (name === SAAP.name || isVariant) continue;
    add(name, { ...shared, metric, search, ...(fusion && { fusion }), ...(fusionScope && { fusionScope }) });
  }
  return distinct(found);
}

/** The kept groups as a key: plans with the same one have the same loss. */
export function planSignature({ layers }: Pick<Plan, 'layers'>): string {
  return JSON.stringify(layers.map(({ attention, mlp }) => [attention, mlp]));
}

/** Undefined where the scores lack a metric or the target is out of reach. */
export function planOrNothing(scores: Scores, options: PlanOptions): Plan | undefined {
  try {
    return makePlan(scores, options);
  } catch (error) {
    if (error instanceof UsageError || error instanceof MissingError) return undefined;
    throw error;
  }
}

const sizeOf = ({ parametersBefore, parametersAfter }: Plan) => parametersBefore - parametersAfter;

function largestGroup(scores: Scores): number {
  return Math.max(
    ...scores.groups.flatMap(({ attention, mlp }) => [attention.parametersPerGroup, mlp.parametersPerGroup]),
  );
}

function distinct(candidates: readonly Candidate[]): readonly Candidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ plan }) => {
    const signature = planSignature(plan);
    const isNew = !seen.has(signature);
    seen.add(signature);
    return isNew;
  });
}
