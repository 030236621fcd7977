import { UsageError } from '../../errors.ts';
import type { Recipe } from '../plan.ts';
import { DEFAULT_RECIPE, type RecipeChoices } from '../recipe.ts';
import { DEPTH } from './depth.ts';
import { FLAP } from './flap.ts';
import { LLM_PRUNER } from './llm-pruner.ts';
import { MAGNITUDE } from './magnitude.ts';
import type { MethodRecipe, ModelMetric, Planning } from './method.ts';
import { RANDOM } from './random.ts';
import { REPLACE_ME } from './replace-me.ts';
import { SLIMLLM } from './slimllm.ts';
import { SAAP_SURGEON, SURGEON } from './surgeon.ts';
import { WANDA } from './wanda.ts';

/** Structurally-aware adaptive pruning, our reading of arXiv 2412.15127 (docs/method.md): fused importance, tempered global ranking. */
export const SAAP: MethodRecipe = {
  name: 'saap',
  ...DEFAULT_RECIPE,
  source: 'SAAP (our reading): fused element-second and fisher, tempered',
};

/**
 * The same with a third opinion, from activations and the size of weights alone: gradients on a short text call unimportant what that text does not ask for, and tasks may (docs/results.md,
 * "Accuracy, paired item by item").
 */
const SAAP_WANDA: MethodRecipe = {
  ...SAAP,
  name: 'saap-wanda',
  isVariant: true,
  metric: 'element-second+fisher+wanda',
  source: 'SAAP with Wanda as a third metric: fused element-second, fisher and wanda, tempered (ours)',
};

/** The same without any weight gradient (docs/method.md section 2). */
const SAAP_KRONECKER: MethodRecipe = {
  ...SAAP,
  name: 'saap-kronecker',
  isVariant: true,
  metric: 'kronecker+fisher',
  source: 'SAAP from activations and their gradients alone: fused kronecker and fisher, tempered (ours)',
};

/** Every method, in the order in which they are listed (docs/architecture.md section 7.1). */
export const METHODS: readonly MethodRecipe[] = [
  SAAP,
  SAAP_WANDA,
  SAAP_KRONECKER,
  {
    ...SAAP,
    name: 'saap-measured',
    isVariant: true,
    planning: 'measured',
    source: 'SAAP, searched on the measured calibration loss (ours)',
  },
  {
    ...SAAP,
    name: 'saap-passes',
    isVariant: true,
    planning: 'passes',
    source: 'SAAP, scored anew after each tenth that is removed (ours)',
  },
  SAAP_SURGEON,
  ...LLM_PRUNER,
  WANDA,
  FLAP,
  DEPTH,
  ...MAGNITUDE,
  RANDOM,
  SURGEON,
  SLIMLLM,
  REPLACE_ME,
];

/** The methods that plan from scores alone; the others look at the model (docs/method.md sections 4 and 6). */
export const SCORE_METHODS: readonly MethodRecipe[] = METHODS.filter(
  ({ planning, modelMetric }) => planning === undefined && modelMetric === undefined,
);

/** The method of `SCORE_METHODS` that ranks by this metric and searches so; undefined for a mix of one's own. */
export function methodNamed({ metric, search }: Pick<RecipeChoices, 'metric' | 'search'>): MethodRecipe | undefined {
  return SCORE_METHODS.find((method) => method.metric === metric && method.search === search);
}

const COMPENSATIONS = ['bias', 'least-squares', 'regression'] as const;
const RECOVERIES = ['lora', 'group-wise'] as const;

/** What may follow a method's name, for people. */
export const METHOD_SUFFIXES =
  '"+bias", "+least-squares" or "+regression" after a name adds compensation, then "+lora" or "+group-wise" recovery';

/** A method with what follows it: its name as asked for, and the part of a recipe that it fixes. */
export interface Method {
  /** As given, e.g. 'flap+bias' or 'saap+least-squares+lora'. */
  readonly name: string;
  /** Where it is from, for people. */
  readonly source: string;
  /** What it needs of the model beyond scores; absent: nothing. */
  readonly planning?: Planning;
  /** Computed on the model and given to the planner beside the scores. */
  readonly modelMetric?: ModelMetric;
  /** What it fixes of a recipe. */
  readonly recipe: Pick<Recipe, 'metric' | 'fusion' | 'fusionScope' | 'search'> & {
    /** The repair after pruning. */
    readonly compensate: NonNullable<Recipe['compensate']>;
  };
  /** SlimLLM's repair in place of the recipe's: for comparisons alone, no recipe has it. */
  readonly repair?: 'regression';
  /** How the pruned and compensated model is trained (docs/method.md section 7); absent: not at all. */
  readonly recovery?: (typeof RECOVERIES)[number];
}

/** Whether a method changes weights that stay, from text of its own (`compensationWindows` of a comparison). */
export function isRepaired({ recipe, repair, planning }: Method): boolean {
  return recipe.compensate !== 'none' || repair !== undefined || planning === 'replace-me';
}

/**
 * The method of that name: one of `METHODS`, with `+bias`, `+least-squares` or `+regression` after it for compensation, and `+lora` or `+group-wise` after that for recovery. Throws UsageError listing the legal names, or the legal suffixes.
 */
export function parseMethod(text: string): Method {
  const [base = '', ...suffixes] = text.trim().split('+');
  const method = METHODS.find(({ name }) => name === base);
  if (!method)
    throw new UsageError(
      `"${base}" is no method. Methods are ${METHODS.map(({ name }) => name).join(', ')}; ${METHOD_SUFFIXES}.`,
    );
  const compensate = COMPENSATIONS.find((known) => known === suffixes[0]);
  const left = compensate ? suffixes.slice(1) : suffixes;
  const recovery = RECOVERIES.find((known) => known === left[0]);
  if (left.length > (recovery ? 1 : 0))
    throw new UsageError(
      `"${text.trim()}" asks for a compensation or a recovery that there is not: ${base}+bias and ${base}+least-squares are compensated, ${base}+lora and ${base}+group-wise recovered, and ${base}+bias+lora is both, in this order.`,
    );
  const { metric, fusion, fusionScope, search, planning, modelMetric, source } = method;
  if (planning === 'replace-me' && compensate)
    throw new UsageError(`${base} is repaired by itself; leave out "+${compensate}".`);
  return {
    name: text.trim(),
    source,
    ...(planning && { planning }),
    ...(modelMetric && { modelMetric }),
    recipe: {
      metric,
      ...(fusion && { fusion }),
      ...(fusionScope && { fusionScope }),
      search,
      compensate: compensate === undefined || compensate === 'regression' ? 'none' : compensate,
    },
    ...(compensate === 'regression' && { repair: compensate }),
    ...(recovery && { recovery }),
  };
}
