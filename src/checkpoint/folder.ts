import { MissingError, UnsupportedError, UsageError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { FileAccess } from './files/files.ts';
import { joinPieces, wholeName } from './files/joined.ts';
import { JSON_LIMITS, parseJsonRecord, readWhole } from './files/json.ts';
import { openFolder, readConfig } from './formats/safetensors/safetensors-folder.ts';
import { FORMATS, formatByContents, formatOf, modelsIn } from './formats/table.ts';
import type { OpenOptions } from './open-options.ts';
import { quote } from './weights.ts';

/**
 * Opens whatever model the folder has: safetensors, GGUF or ONNX, in this order of preference, or the weight file that `options.weights` names.
 * Throws MissingError when there are no weights, UsageError when there are several models to choose from, UnsupportedError for other formats.
 */
export async function openCheckpoint(folder: FileAccess, options: OpenOptions = {}): Promise<Checkpoint> {
  const files = await joinPieces(folder);
  await refuseAdapter(files);
  const names = await files.list();
  const weights = options.weights === undefined ? chooseWeights(files.name, names) : wholeName(options.weights);
  const source = formatOf(weights) ? undefined : await files.open(weights);
  const format = formatOf(weights) ?? (source && (await formatByContents(source)));
  if (format) return format.open(files, format.files(weights, names)[0] ?? weights, options);
  throw PICKLE.test(weights)
    ? pickled(files.name, weights)
    : new UnsupportedError(
        `${quote(weights)} is not a weight file that is read: .safetensors, .gguf or .onnx. Name one of these, or the model's folder.`,
      );
}

const PICKLE = /\.(bin|pt|pth|ckpt)$/;

function pickled(folder: string, file: string): UnsupportedError {
  return new UnsupportedError(
    `${folder} has PyTorch pickle weights (${file}) and no safetensors. Convert them, e.g. with model.save_pretrained(folder) of transformers.`,
  );
}

/** An adapter's folder has weights, but they only change those of another model. */
async function refuseAdapter(files: FileAccess): Promise<void> {
  const source = await files.open('adapter_config.json');
  if (!source || (await files.open('config.json'))) return;
  const { base_model_name_or_path: base } = parseJsonRecord(await readWhole(source, JSON_LIMITS.config), source.name);
  throw new UnsupportedError(
    `${files.name} is an adapter${typeof base === 'string' ? ` of ${quote(base)}` : ''}, not a model. Merge it into its model, e.g. with merge_and_unload() of peft, and open the result.`,
  );
}

function chooseWeights(folder: string, names: readonly string[]): string {
  for (const format of FORMATS) {
    // Safetensors in subfolders belong to other things: adapters, checkpoints of a training.
    const here = format.name === 'safetensors' ? names.filter((name) => !name.includes('/')) : names;
    const [model, ...others] = modelsIn(here, format);
    if (model === undefined) continue;
    if (format.preference || others.length === 0) return model;
    const all = [model, ...others];
    throw new UsageError(
      `${folder} has ${all.length} ${format.name} models: ${all.slice(0, 5).join(', ')}. Name the one to open, or choose its files alone.`,
    );
  }
  const pickle = names.find((name) => PICKLE.test(name));
  if (pickle !== undefined) throw pickled(folder, pickle);
  const inner = names.find((name) => name.includes('/') && name.endsWith('.safetensors'));
  if (inner !== undefined)
    throw new MissingError(`${folder} has weights in a folder of its own (${inner}) only. Open that folder.`);
  throw new MissingError(
    `${folder} has no model weights. A model is a folder with config.json and model.safetensors, or a .gguf file.`,
  );
}

export { openFolder, readConfig };
