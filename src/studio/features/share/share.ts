import type { RecipeChoices } from '../plan/slice.ts';

const PREFIX = '#recipe=';

/** The fields of a recipe that a link carries, each with the test that a value from outside must pass. Planning checks their domains. */
const FIELDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  metric: isText,
  fusion: (value) => value === 'shared' || value === 'geometric',
  fusionScope: (value) => value === 'model' || value === 'module' || value === 'layer',
  search: isText,
  target: isTarget,
  gamma: isNumber,
  stability: isNumber,
  balance: isBalance,
  minimumAttentionGroups: isNumber,
  minimumNeurons: isNumber,
  protect: (value) => Array.isArray(value) && value.length <= 1024 && value.every(isNumber),
  compensate: (value) => value === 'none' || value === 'bias' || value === 'least-squares',
  dtype: (value) => value === 'f32' || value === 'f16' || value === 'q8' || value === 'q4',
  roundTo: isNumber,
  seed: isNumber,
};

/** The address of this page with the recipe in its fragment; the fragment never leaves the browser. */
export function shareLink(address: string, recipe: RecipeChoices): string {
  const url = new URL(address);
  url.hash = `${PREFIX}${encodeURIComponent(JSON.stringify(recipe))}`;
  return url.href;
}

/** The recipe in a fragment; undefined when there is none or it is damaged. Unknown fields are left out. */
export function recipeFromFragment(fragment: string): Partial<RecipeChoices> | undefined {
  if (!fragment.startsWith(PREFIX)) return undefined;
  try {
    const value: unknown = JSON.parse(decodeURIComponent(fragment.slice(PREFIX.length)));
    if (typeof value !== 'object' || value === null) return undefined;
    const fields = Object.entries(value).filter(([name, field]) => FIELDS[name]?.(field) ?? false);
    return fields.length > 0 ? (Object.fromEntries(fields) as Partial<RecipeChoices>) : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= 200;
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}

function isBalance(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(
    ([name, weight]) => (name === 'attention' || name === 'depth') && isNumber(weight),
  );
}

function isTarget(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, value: amount, context } = value as Record<string, unknown>;
  if (!isNumber(amount)) return false;
  return kind === 'memory' ? isNumber(context) : kind === 'ratio' || kind === 'parameters' || kind === 'bytes';
}
