import { METRICS } from '../../importance/sums/scores.ts';
import { parseMethod } from '../../plan/methods/methods.ts';
import { NORMALISATIONS } from '../charts/normalise.ts';
import { DRAWERS, drawerShareWithin } from '../features/bench/slice.ts';
import { keptRecipe } from '../features/plan/checked-recipe.ts';
import { INITIAL_RECIPE } from '../features/plan/slice.ts';
import { FORMATS, GGUF_TYPE_NAMES, SAFETENSORS_TYPES } from '../features/take-away/slice.ts';

type Check = (value: unknown) => unknown;

class UnusableError extends Error {}

const refuse = (): never => {
  throw new UnusableError('The value cannot be used.');
};

const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.some((known) => known === value) ? value : refuse();

const records: Check = (value) =>
  Array.isArray(value) ? value.map((recipe) => keptRecipe(recipe, INITIAL_RECIPE)) : refuse();

/** What a kept value must be beyond looking like the one that the page begins with. */
const CHECKS: Readonly<Record<string, Check>> = {
  recipe: (value) => keptRecipe(value, INITIAL_RECIPE),
  past: records,
  future: records,
  chosenModel: (value) => {
    const { kind, id, name } = value as Record<string, unknown>;
    const isKnown = kind === 'embedded' ? typeof id === 'string' : kind === 'hub' && typeof name === 'string';
    return isKnown ? value : refuse();
  },
  scoresChoice: (value) => {
    const { kind } = value as Record<string, unknown>;
    return kind === 'precomputed' || kind === 'none' ? { kind } : refuse();
  },
  drawer: (value) => (value === null ? value : oneOf(...DRAWERS)(value)),
  drawerShare: (value) => drawerShareWithin(value as number),
  themeChoice: oneOf('system', 'light', 'dark'),
  shownMetric: oneOf('recipe', ...METRICS),
  normalisation: oneOf(...NORMALISATIONS),
  arrangement: oneOf('sorted', 'place'),
  scorePrecision: oneOf('auto', 'f32', 'f16'),
  taskThrough: oneOf('blocks', 'decoder'),
  taskMetric: oneOf('accuracy', 'accuracyNormalized'),
  recoverMethod: oneOf('group-wise-4', 'group-wise-8', 'lora'),
  takeFormats: (value) => (Array.isArray(value) ? FORMATS.filter((format) => value.includes(format)) : refuse()),
  ggufType: oneOf(...GGUF_TYPE_NAMES),
  safetensorsType: oneOf(...SAFETENSORS_TYPES),
  recoverLoss: oneOf('kl', 'text', 'both'),
  sideRepair: oneOf('', '+bias', '+least-squares'),
  sideTraining: oneOf('', '+lora', '+group-wise'),
  sideMethods: (value) =>
    Array.isArray(value) ? value.filter((name) => typeof name === 'string' && isMethod(name)) : refuse(),
  comparedMethods: (value) =>
    Array.isArray(value) ? value.filter((name) => typeof name === 'string' && isMethod(name)) : refuse(),
};

/**
 * What of a kept state can be used: an older version of the page, another tab or a hand may have left anything. A field that does not look like the one that
 * the page begins with, or is none of the values that it may have, is left out, and so begins anew.
 */
export function checkedState<State extends object>(kept: unknown, initial: State): Partial<State> {
  if (typeof kept !== 'object' || kept === null) return {};
  const entries = Object.entries(kept).flatMap(([name, value]) => {
    if (!Object.hasOwn(initial, name) || !looksLike(value, Reflect.get(initial, name))) return [];
    try {
      const check = Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
      return [[name, check ? check(value) : value]];
    } catch (error) {
      if (error instanceof UnusableError) return [];
      throw error;
    }
  });
  return Object.fromEntries(entries) as Partial<State>;
}

/** Same kind of value all the way down; a list's items, and fields that a record does not begin with, are not looked at. */
function looksLike(value: unknown, initial: unknown): boolean {
  if (initial === undefined) return true;
  if (typeof initial === 'number') return Number.isFinite(value);
  if (typeof initial !== 'object' || initial === null) return typeof value === typeof initial;
  if (Array.isArray(initial)) return Array.isArray(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  // What may be one of several records is for its own check.
  if ('kind' in initial) return 'kind' in value;
  return Object.entries(initial).every(
    ([name, field]) => !Object.hasOwn(value, name) || looksLike(Reflect.get(value, name), field),
  );
}

function isMethod(name: string): boolean {
  try {
    parseMethod(name);
    return true;
  } catch {
    return false;
  }
}
