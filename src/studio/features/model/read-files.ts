import { parseJson } from '../../../checkpoint/files/json.ts';
import { MismatchError } from '../../../errors.ts';
import { decodeScores } from '../../../importance/files/score-file.ts';
import { type LayerGroups, MODULES, type Module } from '../../../importance/structures/structures.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { PickedFile } from '../../../worker/engine.ts';
import { type CheckedRecipe, checkedRecipe } from '../plan/checked-recipe.ts';
import { filesOfZip } from './zip-files.ts';

/** What files that were picked or dropped are, by what is in them. */
export type ReadFiles =
  | { readonly kind: 'model'; readonly name: string; readonly files: readonly PickedFile[] }
  /** A recipe, or the recipe of a pruned model. */
  | {
      readonly kind: 'recipe';
      readonly name: string;
      readonly recipe: CheckedRecipe;
      readonly model: string | undefined;
    }
  /** Groups of each layer; read for the model that is open. */
  | { readonly kind: 'plan'; readonly name: string; readonly bytes: Uint8Array }
  | { readonly kind: 'scores'; readonly name: string; readonly scores: Scores };

const SCORES = 'espalier-scores/';
const PLAN = 'espalier-plan/';
/** The header of a score file is within its first bytes, and names the format in them. */
const LOOK = 4096;

/**
 * Reads what was picked or dropped: a score file, a recipe, plan or the record of a pruned model (espalier.json), the zip archive of a model; anything else is a model's
 * files. Throws FileFormatError for an archive or a file of JSON that is damaged.
 */
export async function readFiles(files: readonly PickedFile[]): Promise<ReadFiles> {
  const [file] = files;
  const name = file?.path.split('/').at(-1) ?? '';
  if (file && files.length === 1) {
    if (/\.zip$/i.test(name)) return model(await filesOfZip(file.blob, name));
    if (/\.json$/i.test(name)) return readRecipe(file.blob, name);
    if (/\.safetensors$/i.test(name) && (await file.blob.slice(0, LOOK).text()).includes(SCORES))
      return { kind: 'scores', name, scores: await decodeScores(new Uint8Array(await file.blob.arrayBuffer()), name) };
  }
  return model(files);
}

function model(files: readonly PickedFile[]): ReadFiles {
  return { kind: 'model', name: files[0]?.path.split('/')[0] ?? 'files', files };
}

async function readRecipe(blob: Blob, name: string): Promise<ReadFiles> {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const value = parseJson(bytes, name);
  if (String(fieldOf(value, 'format')).startsWith(PLAN)) return { kind: 'plan', name, bytes };
  // The record of a pruned model holds its recipe.
  const held = fieldOf(value, 'recipe') ?? value;
  const of = fieldOf(fieldOf(held, 'model'), 'name');
  return { kind: 'recipe', name, recipe: checkedRecipe(held), model: typeof of === 'string' ? of : undefined };
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

/** Throws MismatchError where scores are of another model than the one that is open. */
export function checkScoresFit(scores: Scores, layers: readonly LayerGroups[], name: string): void {
  const isSame = (module: Module) =>
    scores.groups.every((groups, layer) => groups[module]?.groups === layers[layer]?.[module]?.groups);
  if (scores.groups.length !== layers.length || !MODULES.every(isSame))
    throw new MismatchError(
      `${name} holds scores of ${scores.model.name}, whose layers are others than those of the open model. Open ${scores.model.name} first.`,
    );
}
