import type { FileAccess } from '../checkpoint/files/files.ts';
import { JSON_LIMITS, readWhole } from '../checkpoint/files/json.ts';
import { sha256OfSource, sha256OfText } from '../checkpoint/files/sha256.ts';
import { openCheckpoint, readConfig } from '../checkpoint/folder.ts';
import { loadTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { allowsFixedCache } from '../decoder/attention.ts';
import { EXPORT_FORMATS } from '../decoder/dtypes.ts';
import { MissingError, UnsupportedError } from '../errors.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import type { OpenedModel } from '../export/output-folder.ts';
import { type Decoder, openDecoder } from '../generate/decoder.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { spotCheck } from '../generate/spot-check.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { OpenModel } from './open-model.ts';
import { type Platform, startRuntime } from './open-on.ts';
import type { RuntimeOptions } from './runtime-options.ts';

/** A decoder that is open, with what it needs to generate text. */
export interface OpenDecoder {
  /** The decoder, with its weights on the device. @internal */
  readonly decoder: Decoder;
  /** The tokenizer that belongs to it. */
  tokenizer(): Promise<Tokenizer>;
  /** Tokens that a sequence may have, prompt included. */
  readonly maximumPositions: number;
}

/** A folder in the layout of transformers.js that has been opened for generation: what `prune` writes. Dispose it to free the device. */
export interface ExportedModel extends OpenDecoder, Disposable {
  /** The folder's name. */
  readonly name: string;
  /** Where it computes. */
  readonly runtime: Runtime;
  /** Tokens that it knows. */
  readonly vocabulary: number;
  /** The ONNX file, e.g. 'onnx/model.onnx'. */
  readonly file: string;
  /** Of the graph and its weights. */
  sha256(): Promise<string>;
}

/** The ONNX decoders of a folder, best number format first. */
async function exportedFiles(files: FileAccess): Promise<string[]> {
  const names = new Set(await files.list());
  return Object.values(EXPORT_FORMATS)
    .map(({ file }) => `onnx/${file}`)
    .filter((name) => names.has(name));
}

/** True for a folder that holds an exported decoder and no checkpoint. */
export async function isExported(files: FileAccess): Promise<boolean> {
  const names = await files.list();
  return !names.some((name) => /\.(safetensors|gguf)$/.test(name)) && (await exportedFiles(files)).length > 0;
}

/**
 * Opens an exported model. `openFile` gives a model file of the folder, with its external data, as the runtime takes it. A decoder in half precision is compared
 * with its own weights in single precision on a few positions; where it is wrong, they are decoded instead, and `onNote` is told in a sentence.
 * Throws MissingError when the folder has no decoder.
 */
export async function openExportedFiles(
  runtime: Runtime,
  files: FileAccess,
  openFile: (name: string) => Promise<OpenedModel>,
  onNote: (sentence: string) => void = () => undefined,
): Promise<ExportedModel> {
  const [file] = await exportedFiles(files);
  if (file === undefined)
    throw new MissingError(`${files.name} has no onnx/model.onnx; "espalier prune" writes such a folder.`);
  const config = await readConfig(files);
  const number = (key: string, fallback: number) =>
    typeof config[key] === 'number' ? (config[key] as number) : fallback;
  const tokenizer = await loadTokenizer({
    provenance: { name: files.name, format: 'onnx' },
    config,
    async file(name) {
      const source = await files.open(name);
      return source && readWhole(source, JSON_LIMITS.tokenizer);
    },
  });
  const headDimension = number('head_dim', number('hidden_size', 0) / Math.max(1, number('num_attention_heads', 1)));
  // Of decoders that others exported it is not known how their attention treats a cache of full length.
  const fixedCache = config.espalier !== undefined && allowsFixedCache(headDimension);
  const { model, externalData } = await openFile(file);
  const opened = await openDecoder(runtime, model, { externalData, label: file, fixedCache, headDimension });
  const decoder = opened.cacheType === 'float16' ? await checkedHalf(runtime, files, file, opened, onNote) : opened;
  return {
    name: files.name,
    runtime,
    decoder,
    tokenizer: async () => tokenizer,
    vocabulary: number('vocab_size', tokenizer.vocabularySize),
    maximumPositions: number('max_position_embeddings', 2048),
    file,
    sha256: () => sha256OfFiles(files, [file, `${file}_data`]),
    [Symbol.dispose]: () => decoder.dispose(),
  };
}

async function sha256OfFiles(files: FileAccess, names: readonly string[]): Promise<string> {
  const hashes: string[] = [];
  for (const name of names) {
    const source = await files.open(name);
    if (source) hashes.push(await sha256OfSource(source));
  }
  return sha256OfText(hashes.join('\n'));
}

/** `decoder` where it is right, otherwise one of its weights in single precision. */
async function checkedHalf(
  runtime: Runtime,
  files: FileAccess,
  file: string,
  decoder: Decoder,
  onNote: (sentence: string) => void,
): Promise<Decoder> {
  try {
    const checkpoint = await openCheckpoint(files, { name: files.name, weights: file });
    using open = new OpenModel(runtime, checkpoint);
    const { vocabulary, maximumPositions } = open.config;
    const fault = await spotCheck(decoder, blockProgramLogits(open.programs, open.store), vocabulary, maximumPositions);
    if (fault === undefined) return decoder;
    onNote(`${fault} Single precision is used instead.`);
    const replacement = await decoderForModel(runtime, open.model);
    decoder.dispose();
    return replacement;
  } catch (error) {
    // Graphs of other makers may not give their weights back: there is nothing to compare with.
    if (error instanceof UnsupportedError || error instanceof MissingError) {
      onNote(`${decoder.label}: half precision was not compared with single precision: ${error.message}`);
      return decoder;
    }
    decoder.dispose();
    throw error;
  }
}

/** Options of opening what an export wrote. */
export interface OpenExportedOptions extends RuntimeOptions {
  /** A runtime that stays the caller's, or a function that starts one, which goes with the model. Default: one of `backend`. */
  readonly runtime?: Runtime | (() => Promise<Runtime>);
  /** Told a sentence where half precision is wrong, or could not be checked. */
  readonly onNote?: ((sentence: string) => void) | undefined;
}

/** Opens an export on the runtime that the options ask for, which goes with the model unless it is the caller's. */
export async function openExportOn(
  platform: Pick<Platform, 'createRuntime'>,
  options: OpenExportedOptions,
  open: (runtime: Runtime) => Promise<ExportedModel>,
): Promise<ExportedModel> {
  const { runtime, ownsRuntime } = await startRuntime(platform, options);
  try {
    const model = await open(runtime);
    if (!ownsRuntime) return model;
    return {
      ...model,
      [Symbol.dispose]() {
        model[Symbol.dispose]();
        runtime.dispose();
      },
    };
  } catch (error) {
    if (ownsRuntime) runtime.dispose();
    throw error;
  }
}
