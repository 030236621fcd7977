import type { StateCreator } from 'zustand';
import type { Plan } from '../../../plan/plan.ts';
import { RECIPE_ENTRIES, type RecipeChoices, usualChoices } from '../../../plan/recipe.ts';
import { SEARCHES } from '../../../plan/search/searches.ts';
import { checkedRecipe } from './checked-recipe.ts';

export type { RecipeChoices } from '../../../plan/recipe.ts';

/** Fields to change; undefined sends a field back to its default. */
export type RecipePatch = { readonly [Field in keyof RecipeChoices]?: RecipeChoices[Field] | undefined };

const { dtype: _sources, ...USUAL } = usualChoices();

/** What the page begins with. An export has the model's own number format until the reader chooses another. */
export const INITIAL_RECIPE: RecipeChoices = {
  ...USUAL,
  target: { kind: 'ratio', value: 0.2 },
};

/** What may change while the groups that stay do not. */
const BESIDE_THE_PLAN = new Set<string>(RECIPE_ENTRIES.flatMap(([key, { isBeside }]) => (isBeside ? [key] : [])));

/** Changes of the same field within this time are one step of undo: a slider drag, typing. */
const COALESCE_MILLISECONDS = 900;
const HISTORY = 100;

/** Groups that were not planned from the scores here: read from a plan file, or found in passes. They hold while the recipe that came with them stands. */
export interface GivenPlan {
  readonly of: RecipeChoices;
  readonly plan: Plan;
  /** SHA-256 of the weights that it is for. */
  readonly model: string;
  /** Where it comes from, for people: 'plan.json', '4 passes'. */
  readonly from: string;
}

export interface RecipeSlice {
  readonly given: GivenPlan | undefined;

  readonly recipe: RecipeChoices;
  readonly past: readonly RecipeChoices[];
  readonly future: readonly RecipeChoices[];
  readonly lastChange: { readonly field: string; readonly at: number } | undefined;
  changeRecipe(patch: RecipePatch, now?: number): void;
  /** Takes a plan as it is, with the recipe that it names. */
  adoptPlan(plan: Plan, model: string, from: string): void;
  setRatio(ratio: number): void;
  toggleProtected(layer: number): void;
  undo(): void;
  redo(): void;
}

export const createRecipeSlice: StateCreator<RecipeSlice> = (set, get) => ({
  recipe: INITIAL_RECIPE,
  given: undefined,
  past: [],
  future: [],
  lastChange: undefined,
  changeRecipe(patch, now = Date.now()) {
    const { recipe, past, lastChange, given } = get();
    const field = Object.keys(patch).sort().join();
    const sameStep =
      lastChange !== undefined && lastChange.field === field && now - lastChange.at < COALESCE_MILLISECONDS;
    const changed = changedRecipe(recipe, patch);
    const isKept = given?.of === recipe && Object.keys(patch).every((key) => BESIDE_THE_PLAN.has(key));
    set({
      recipe: changed,
      ...(isKept && { given: { ...given, of: changed } }),
      past: sameStep ? past : [...past, recipe].slice(-HISTORY),
      future: [],
      lastChange: { field, at: now },
    });
  },
  adoptPlan(plan, model, from) {
    const { choices } = checkedRecipe(plan.recipe);
    get().changeRecipe({ ...choices, target: { kind: 'ratio', value: plan.ratio } });
    set({ given: { of: get().recipe, plan, model, from } });
  },
  setRatio(ratio) {
    get().changeRecipe({ target: { kind: 'ratio', value: ratio } });
  },
  toggleProtected(layer) {
    const kept = get().recipe.protect ?? [];
    const protect = kept.includes(layer)
      ? kept.filter((other) => other !== layer)
      : [...kept, layer].sort((a, b) => a - b);
    get().changeRecipe({ protect });
  },
  undo() {
    const { recipe, past, future } = get();
    const previous = past.at(-1);
    if (previous)
      set({ recipe: previous, past: past.slice(0, -1), future: [recipe, ...future], lastChange: undefined });
  },
  redo() {
    const { recipe, past, future } = get();
    const next = future[0];
    if (next) set({ recipe: next, past: [...past, recipe], future: future.slice(1), lastChange: undefined });
  },
});

/**
 * A recipe after a change. A field that is given as undefined goes back to its default. What a measured search found is no longer said to be measured once something
 * else is asked for, and its balance goes with a search that takes none.
 */
function changedRecipe(recipe: RecipeChoices, patch: RecipePatch): RecipeChoices {
  const keys = Object.keys(patch) as (keyof RecipeChoices)[];
  const defaults = Object.fromEntries(
    keys.flatMap((key) => (patch[key] === undefined ? [[key, INITIAL_RECIPE[key]]] : [])),
  );
  const changed = { ...recipe, ...patch, ...defaults };
  const drop = new Set<string>(Object.entries(changed).flatMap(([key, value]) => (value === undefined ? [key] : [])));
  if (!('measured' in patch) && keys.some((key) => !BESIDE_THE_PLAN.has(key))) drop.add('measured');
  if (!('balance' in patch) && !SEARCHES.find(({ name }) => name === changed.search)?.balanced) drop.add('balance');
  return Object.fromEntries(Object.entries(changed).filter(([key]) => !drop.has(key))) as unknown as RecipeChoices;
}
