import { MissingError, UsageError } from '../../errors.ts';
import { wholeName } from '../files/joined.ts';
import { FORMATS, formatOf, modelsIn } from '../formats/table.ts';
import { ADDITIONAL_TEMPLATES } from '../tokenizer/named-templates.ts';

/** A file of a hub repository. */
export interface HubFile {
  /** Relative to the repository. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of a large file, or git's SHA-1 of a small one: what its contents are held against. */
  readonly digest: {
    /** What the hub tells: SHA-256 of large files, git's SHA-1 of others. */
    readonly kind: 'sha256' | 'git';
    /** In hexadecimal. */
    readonly value: string;
  };
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
  const hasTokenizer = files.some(({ name }) => name === 'tokenizer.json');
  const companions = files.filter(
    ({ name, size }) =>
      ((COMPANIONS.has(name) || ADDITIONAL_TEMPLATES.test(name)) && (name.endsWith('.json') || size <= LARGEST_TEXT)) ||
      (name === 'tokenizer.model' && !hasTokenizer),
  );
  const weights = chooseWeights(files, model, wanted);
  // Small files first: what is wrong with them shows before gigabytes have come.
  return [...companions, ...weights].sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
}

function chooseWeights(files: readonly HubFile[], model: string, wanted: string | undefined): HubFile[] {
  const names = [...new Set(files.map(({ name }) => wholeName(name)))];
  // A file that was cut comes with all its pieces.
  const take = (parts: readonly string[]) => files.filter(({ name }) => parts.includes(wholeName(name)));
  if (wanted !== undefined) {
    const file = wholeName(wanted);
    if (!names.includes(file)) throw new MissingError(`${model} has no file "${wanted}".`);
    return take(formatOf(file)?.files(file, names) ?? [file]);
  }
  for (const format of FORMATS) {
    // Models in subfolders are of other forms of this one, but for ONNX, whose folder has the formats to choose from.
    const here = names.filter((name) =>
      format.name === 'ONNX' ? format.preference?.includes(name) : !name.includes('/'),
    );
    const [first, ...others] = modelsIn(here, format);
    if (first === undefined) continue;
    const isChosen = others.length === 0 || format.preference?.includes(first);
    if (isChosen) return take(format.files(first, names));
    if (format.preference) continue;
    const sizeOf = (main: string) => take(format.files(main, names)).reduce((sum, { size }) => sum + size, 0);
    const list = [first, ...others].slice(0, 12).map((main) => `${main} (${megabytes(sizeOf(main))})`);
    throw new UsageError(
      `${model} has ${others.length + 1} ${format.name} files: ${list.join(', ')}. Paste the address of the one to take.`,
    );
  }
  throw new MissingError(
    `${model} has no safetensors, GGUF or ONNX weights, so it cannot be opened. Look for a version of it that has.`,
  );
}

/** A size for people. */
export function megabytes(bytes: number): string {
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}
