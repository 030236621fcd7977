import { DEPTH } from '../baselines/depth.ts';
import { FLAP } from '../baselines/flap.ts';
import { LLM_PRUNER } from '../baselines/llm-pruner.ts';
import { MAGNITUDE } from '../baselines/magnitude.ts';
import { RANDOM } from '../baselines/random.ts';
import { WANDA } from '../baselines/wanda.ts';
import { UsageError } from '../errors.ts';
import type { Recipe } from '../surgery/plan.ts';
import type { MethodRecipe } from './method.ts';
import { DEFAULT_RECIPE } from './plan-options.ts';

/** Structurally-aware adaptive pruning, our reading of arXiv 2412.15127 (METHOD.md): fused importance, tempered global ranking. */
export const SAAP: MethodRecipe = { name: 'saap', ...DEFAULT_RECIPE, source: 'SAAP (our reading): fused element-second and fisher, tempered' };

/** Every method that can be compared (DESIGN.md section 7.1). */
export const METHODS: readonly MethodRecipe[] = [SAAP, ...LLM_PRUNER, WANDA, FLAP, DEPTH, ...MAGNITUDE, RANDOM];

const COMPENSATIONS = ['bias', 'least-squares'] as const;

/** A method with what follows it: its name as asked for, and the part of a recipe that it fixes. */
export interface Method {
  /** As given, e.g. 'flap+bias'. */
  readonly name: string;
  readonly source: string;
  readonly recipe: Pick<Recipe, 'metric' | 'fusion' | 'fusionScope' | 'search'> & { readonly compensate: NonNullable<Recipe['compensate']> };
}

/**
 * The method of that name: one of `METHODS`, with `+bias` or `+least-squares` after it for compensation.
 * Throws UsageError listing the legal names, or the legal suffixes.
 */
export function parseMethod(text: string): Method {
  const [base = '', suffix, ...rest] = text.trim().split('+');
  const method = METHODS.find(({ name }) => name === base);
  if (!method)
    throw new UsageError(
      `"${base}" is no method. Methods are ${METHODS.map(({ name }) => name).join(', ')}, with +bias or +least-squares after a name for compensation.`,
    );
  const compensate = suffix === undefined ? 'none' : COMPENSATIONS.find((known) => known === suffix);
  if (!compensate || rest.length > 0) throw new UsageError(`"${text.trim()}" names no compensation that there is: ${base}+bias and ${base}+least-squares are.`);
  const { metric, fusion, fusionScope, search, source } = method;
  return {
    name: text.trim(),
    source,
    recipe: { metric, ...(fusion && { fusion }), ...(fusionScope && { fusionScope }), search, compensate },
  };
}
