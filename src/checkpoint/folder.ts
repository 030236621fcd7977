import { MissingError, UnsupportedError, UsageError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { FileAccess } from './files/files.ts';
import { joinPieces, wholeName } from './files/joined.ts';
import { JSON_LIMITS, parseJsonRecord, readWhole } from './files/json.ts';
import { openGguf } from './formats/gguf/gguf.ts';
import { openOnnx } from './formats/onnx/onnx.ts';
import { ONNX_FILES } from './formats/onnx/onnx-files.ts';
import { INDEX, openFolder, readConfig } from './formats/safetensors/safetensors-folder.ts';
import type { OpenOptions } from './open-options.ts';
import { quote } from './weights.ts';

/**
 * Opens whatever model the folder has: safetensors, GGUF or ONNX, in this order of preference, or the weight file that `options.weights` names.
 * Throws MissingError when there are no weights, UsageError when there are several models to choose from, UnsupportedError for other formats.
 */
export async function openCheckpoint(folder: FileAccess, options: OpenOptions = {}): Promise<Checkpoint> {
  const files = await joinPieces(folder);
  await refuseAdapter(files);
  const weights =
    options.weights === undefined ? chooseWeights(files.name, await files.list()) : wholeName(options.weights);
  if (weights.endsWith('.safetensors') || weights === INDEX)
    return openFolder(files, { ...options, weights: options.weights && weights });
  if (weights.endsWith('.gguf')) return openGguf(files, weights, options);
  if (weights.endsWith('.onnx')) return openOnnx(files, weights, options);
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
  const ending = (suffix: string) => names.filter((name) => name.endsWith(suffix));
  if (names.includes(INDEX)) return INDEX;
  const [safetensors] = ending('.safetensors').filter((name) => !name.includes('/'));
  if (safetensors !== undefined) return safetensors;
  const ggufs = ending('.gguf');
  if (ggufs.length > 1)
    throw new UsageError(
      `${folder} has ${ggufs.length} GGUF models: ${ggufs.slice(0, 5).join(', ')}. Name the one to open.`,
    );
  const [gguf] = ggufs;
  if (gguf !== undefined) return gguf;
  const onnx = ONNX_FILES.find((name) => names.includes(name)) ?? names.find((name) => name.endsWith('.onnx'));
  if (onnx !== undefined) return onnx;
  const pickle = names.find((name) => PICKLE.test(name));
  if (pickle !== undefined) throw pickled(folder, pickle);
  throw new MissingError(
    `${folder} has no model weights. A model is a folder with config.json and model.safetensors, or a .gguf file.`,
  );
}

export { openFolder, readConfig };
