import { MissingError, UsageError } from '../../errors.ts';
import { ONNX_FILES } from '../formats/onnx/onnx-files.ts';

/** A file of a hub repository. */
export interface HubFile {
  readonly name: string;
  readonly size: number;
  /** SHA-256 of a large file, or git's SHA-1 of a small one: what its contents are held against. */
  readonly digest: { readonly kind: 'sha256' | 'git'; readonly value: string };
}

const COMPANIONS = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'README.md',
  'LICENSE',
]);

/** Largest README or licence that is taken along. */
const LARGEST_TEXT = 1 << 20;

/**
 * What has to be downloaded of a model: its small companion files and one form of its weights: safetensors (whole or in parts), else GGUF, else ONNX.
 * `wanted` names a weight file. Throws UsageError when several GGUF files are there and none is wanted, MissingError when there are no weights.
 */
export function chooseFiles(files: readonly HubFile[], model: string, wanted?: string): HubFile[] {
  const companions = files.filter(
    ({ name, size }) => COMPANIONS.has(name) && (name.endsWith('.json') || size <= LARGEST_TEXT),
  );
  const weights = chooseWeights(files, model, wanted);
  // Small files first: what is wrong with them shows before gigabytes have come.
  return [...companions, ...weights].sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
}

function chooseWeights(files: readonly HubFile[], model: string, wanted: string | undefined): HubFile[] {
  const root = files.filter(({ name }) => !name.includes('/'));
  const ending = (suffix: string) => root.filter(({ name }) => name.endsWith(suffix));
  if (wanted !== undefined) {
    const file = files.find(({ name }) => name === wanted);
    if (!file) throw new MissingError(`${model} has no file "${wanted}".`);
    return withParts(file, files);
  }
  const single = root.find(({ name }) => name === 'model.safetensors');
  if (single) return [single];
  const index = root.find(({ name }) => name === 'model.safetensors.index.json');
  if (index) return [index, ...ending('.safetensors').filter(({ name }) => /-\d{5}-of-\d{5}\.safetensors$/.test(name))];
  const [safetensors, ...more] = ending('.safetensors');
  if (safetensors && more.length === 0) return [safetensors];
  const ggufs = ending('.gguf').filter(
    ({ name }) => !/-of-\d{5}\.gguf$/.test(name) || /-00001-of-\d{5}\.gguf$/.test(name),
  );
  const [gguf, ...others] = ggufs;
  if (gguf && others.length === 0) return withParts(gguf, files);
  if (gguf) {
    const list = ggufs.slice(0, 12).map(({ name, size }) => `${name} (${megabytes(size)})`);
    throw new UsageError(
      `${model} has ${ggufs.length} GGUF files: ${list.join(', ')}. Paste the address of the one to take.`,
    );
  }
  const onnx = ONNX_FILES.map((name) => files.find((file) => file.name === name)).find((file) => file !== undefined);
  if (onnx) return withParts(onnx, files);
  throw new MissingError(
    `${model} has no safetensors, GGUF or ONNX weights, so it cannot be opened. Look for a version of it that has.`,
  );
}

/** A GGUF split by llama.cpp comes with all its parts, an ONNX graph with its external data (`model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`). */
function withParts(file: HubFile, files: readonly HubFile[]): HubFile[] {
  if (file.name.endsWith('.onnx'))
    return files.filter(
      ({ name }) =>
        name === file.name || /^[._]data(_\d+)?$/.test(name.startsWith(file.name) ? name.slice(file.name.length) : ''),
    );
  const split = /^(.*)-\d{5}-of-(\d{5})\.gguf$/.exec(file.name);
  if (!split) return [file];
  return files.filter(({ name }) => name.startsWith(`${split[1]}-`) && name.endsWith(`-of-${split[2]}.gguf`));
}

/** A size for people. */
export function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
