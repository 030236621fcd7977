import { EspalierError } from '../../../errors.ts';
import { parseMetric } from '../../../plan/metric.ts';
import { parseChoices, RECIPE_FIELDS, type RecipeChoices } from '../../../plan/recipe.ts';
import { findSearch } from '../../../plan/search/searches.ts';

/** What can be planned with of a recipe from outside, and a sentence for each field that cannot. */
export interface CheckedRecipe {
  readonly choices: Partial<RecipeChoices>;
  readonly refused: readonly string[];
}

/** Names that the schema of a recipe leaves to the planner. */
const NAMES: Readonly<Partial<Record<keyof RecipeChoices, (name: string) => unknown>>> = {
  metric: parseMetric,
  search: findSearch,
};

/** Reads a recipe from a link, a file or what the browser kept: fields that are no part of one, damaged, or name what is not there are left out. */
export function checkedRecipe(value: unknown): CheckedRecipe {
  const refused: string[] = [];
  const parsed = parseChoices(value);
  if (typeof value === 'object' && value !== null)
    for (const name of Object.keys(value))
      if (Object.hasOwn(RECIPE_FIELDS, name) && !isRecorded(name) && !Object.hasOwn(parsed, name))
        refused.push(`Its ${name} is ${JSON.stringify(Reflect.get(value, name))?.slice(0, 80)}, which it cannot be.`);
  const entries = Object.entries(parsed).filter(([name, field]) => {
    const problem = problemOf(name, field);
    if (problem !== undefined) refused.push(problem);
    return problem === undefined;
  });
  return { choices: Object.fromEntries(entries) as Partial<RecipeChoices>, refused };
}

function isRecorded(name: string): boolean {
  return 'isRecorded' in RECIPE_FIELDS[name as keyof typeof RECIPE_FIELDS];
}

function problemOf(name: string, field: unknown): string | undefined {
  try {
    if (typeof field === 'string' && Object.hasOwn(NAMES, name)) NAMES[name as keyof RecipeChoices]?.(field);
    return undefined;
  } catch (error) {
    if (error instanceof EspalierError) return error.message;
    throw error;
  }
}

/** A recipe that the browser kept, with what a measured search found; `initial` stands in for what cannot be used. */
export function keptRecipe(value: unknown, initial: RecipeChoices): RecipeChoices {
  const { choices, refused } = checkedRecipe(value);
  if (Object.keys(choices).length === 0) return initial;
  const { target, metric, search } = initial;
  return {
    ...{ target, ...(metric !== undefined && { metric }), ...(search !== undefined && { search }), ...choices },
    ...(refused.length === 0 && measuredOf(value)),
  };
}

function measuredOf(value: unknown): Pick<RecipeChoices, 'measured'> {
  if (typeof value !== 'object' || value === null || !('measured' in value)) return {};
  const damaged = new Error('It is left out.');
  try {
    const refuse = () => {
      throw damaged;
    };
    return { measured: RECIPE_FIELDS.measured.kind.read(value.measured, 'measured', refuse) };
  } catch (error) {
    if (error === damaged) return {};
    throw error;
  }
}
