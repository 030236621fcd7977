import { isRecord, type JsonRecord, parseJsonRecord } from '../checkpoint/files/json.ts';
import { FileFormatError, MismatchError } from '../errors.ts';
import { groupParameters, type LayerGroups, MODULES } from '../importance/structures/structures.ts';
import { keptMixing, type LayerPlan, type Plan, removedBeside } from './plan.ts';
import { parseRecipe } from './recipe.ts';

/** The bytes of plan.json. The same plan gives the same bytes, whatever the order of its keys. Throws FileFormatError for a plan that could not be read back. */
export function encodePlan(plan: Plan): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(parsePlan(plan))}\n`);
}

/** Reads plan.json. Throws FileFormatError naming `file` and the field. */
export function decodePlan(bytes: Uint8Array, file = 'The plan'): Plan {
  return parsePlan(parseJsonRecord(bytes, file), file);
}

/** What a plan file is read for. */
export interface PlannedModel {
  readonly parameters: number;
  readonly groups: readonly LayerGroups[];
}

/**
 * Reads plan.json for a model. `format` and `layers` are enough: sizes follow from the model, and without a recipe the plan says that its groups were given.
 * Throws as `decodePlan` and `checkPlanFits` do.
 */
export function decodePlanFor(bytes: Uint8Array, { parameters, groups }: PlannedModel, file = 'The plan'): Plan {
  const value = parseJsonRecord(bytes, file);
  const layers = parseLayers(value, file);
  const whole = groups.reduce((sum, layer) => sum + groupParameters(layer), 0);
  const removed = whole - keptParameters(layers, groups);
  const ratio = whole === 0 ? 0 : removed / whole;
  const given = {
    model: { name: 'unknown' },
    metric: 'given',
    search: 'given',
    target: { kind: 'ratio', value: ratio },
  };
  const recipe =
    value.recipe === undefined ? parseRecipe({ ...given, seed: 0 }, file) : parseRecipe(value.recipe, file);
  const plan: Plan = {
    format: 'espalier-plan/1',
    recipe,
    ratio,
    parametersBefore: parameters,
    parametersAfter: parameters - removed - removedBeside(layers, groups),
    layers,
  };
  checkPlanFits(plan, groups);
  return plan;
}

/** Checks that `value` (parsed JSON) is a plan. Throws FileFormatError naming `file`, the field, the value found and what is expected. */
export function parsePlan(value: unknown, file = 'The plan'): Plan {
  if (!isRecord(value)) throw new FileFormatError(`${file} is no plan: it must be a JSON object.`);
  const { ratio, parametersBefore, parametersAfter } = value;
  checkFormat(value, file);
  if (typeof ratio !== 'number' || !(ratio >= 0 && ratio <= 1))
    throw new FileFormatError(`${file}: ratio is ${JSON.stringify(ratio)}; it must lie between 0 and 1.`);
  for (const [name, count] of Object.entries({ parametersBefore, parametersAfter })) {
    if (!isCount(count))
      throw new FileFormatError(`${file}: ${name} is ${JSON.stringify(count)}; it must be a whole number, 0 or more.`);
  }
  const layers = parseLayers(value, file);
  return {
    format: 'espalier-plan/1',
    recipe: parseRecipe(value.recipe, file),
    ratio,
    parametersBefore: parametersBefore as number,
    parametersAfter: parametersAfter as number,
    layers,
  };
}

function checkFormat({ format }: JsonRecord, file: string): void {
  if (format === 'espalier-plan/1') return;
  throw new FileFormatError(
    `${file} has the format ${JSON.stringify(format)}; "espalier-plan/1" is expected. Make the plan again with this version.`,
  );
}

const PLAN_KEYS = ['format', 'recipe', 'ratio', 'parametersBefore', 'parametersAfter', 'layers'];

/** What is not known would not be done, and a model comes out all the same. */
function refuseOtherKeys(value: JsonRecord, keys: readonly string[], what: string, file: string): void {
  const other = Object.keys(value).find((key) => !keys.includes(key));
  if (other === undefined) return;
  throw new FileFormatError(
    `${file}: ${what} ${JSON.stringify(other)}, which is not known and would be left out; known are ${keys.join(', ')}. Remove it.`,
  );
}

function parseLayers(value: JsonRecord, file: string): LayerPlan[] {
  checkFormat(value, file);
  refuseOtherKeys(value, PLAN_KEYS, 'the plan says', file);
  if (!Array.isArray(value.layers)) throw new FileFormatError(`${file}: layers is missing or not a list.`);
  return value.layers.map((layer: unknown, index) => parseLayer(layer, index, file));
}

function parseLayer(value: unknown, layer: number, file: string): LayerPlan {
  if (!isRecord(value))
    throw new FileFormatError(`${file}: layer ${layer} must be an object with the lists attention and mlp.`);
  refuseOtherKeys(value, MODULES, `layers[${layer}] has`, file);
  const attention = parseIndices(value.attention, `layers[${layer}].attention`, file);
  const mlp = parseIndices(value.mlp, `layers[${layer}].mlp`, file);
  const convolution =
    value.convolution === undefined
      ? {}
      : { convolution: parseIndices(value.convolution, `layers[${layer}].convolution`, file) };
  const plan = { attention, ...convolution, mlp };
  if (keptMixing(plan) > 0 && mlp.length === 0) {
    throw new FileFormatError(
      `${file}: layers[${layer}].mlp is empty and the other list is not. Keep one group of each, or empty both to remove the block.`,
    );
  }
  return plan;
}

function parseIndices(value: unknown, name: string, file: string): readonly number[] {
  if (!Array.isArray(value)) throw new FileFormatError(`${file}: ${name} is missing or not a list of group indices.`);
  let previous = -1;
  for (const index of value as unknown[]) {
    if (!isCount(index) || index <= previous) {
      throw new FileFormatError(
        `${file}: ${name} ${previous < 0 ? 'starts with' : 'has'} ${JSON.stringify(index)}${previous < 0 ? '' : ` after ${previous}`}; it must list whole group indices, ascending, each once.`,
      );
    }
    previous = index;
  }
  return value as number[];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Throws MismatchError where a plan does not fit the model's groups, naming the layer and both counts. */
export function checkPlanFits(plan: Plan, groups: readonly LayerGroups[]): void {
  if (plan.layers.length !== groups.length) {
    throw new MismatchError(
      `The plan is for ${plan.layers.length} layers and the model has ${groups.length}. ${remedy(plan)}`,
    );
  }
  for (const [index, layer] of plan.layers.entries()) {
    for (const module of MODULES) {
      const largest = layer[module]?.at(-1) ?? -1;
      const count = groups[index]?.[module]?.groups ?? 0;
      if (largest >= count) {
        throw new MismatchError(
          `The plan keeps ${module} group ${largest} of layer ${index}, which has ${count} groups (0 to ${count - 1}). ${remedy(plan)}`,
        );
      }
    }
    // A layer without such groups mixes tokens by what stays as long as it does.
    const { attention, convolution } = groups[index] ?? {};
    const mixing = convolution && convolution.groups > 0 ? 'convolution' : 'attention';
    const hasMixing = (attention?.groups ?? 0) + (convolution?.groups ?? 0) > 0;
    if (hasMixing && keptMixing(layer) === 0 && layer.mlp.length > 0)
      throw new MismatchError(
        `The plan keeps no ${mixing} group of layer ${index} and ${layer.mlp.length} neurons. Keep one group of each, or empty both lists to remove the block.`,
      );
  }
}

function remedy(plan: Plan): string {
  return `Make a plan from this model's scores${plan.recipe.model.name === 'unknown' ? '' : `; this one was made for "${plan.recipe.model.name}"`}.`;
}

/** Parameters of all kept groups under a plan; the embedding, head and norms are not among them. */
export function keptParameters(layers: readonly LayerPlan[], groups: readonly LayerGroups[]): number {
  return layers.reduce(
    (sum, layer, index) =>
      MODULES.reduce(
        (inner, module) => inner + (layer[module]?.length ?? 0) * (groups[index]?.[module]?.parametersPerGroup ?? 0),
        sum,
      ),
    0,
  );
}
