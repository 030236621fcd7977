import { type Model, modelOf } from '../architecture/model.ts';
import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { blockProgramLogits } from './block-logits.ts';
import type { GgufType } from './gguf/blocks.ts';
import { ggufModel } from './gguf/model.ts';
import { type OutputFolder, textChunks, type WrittenFile, writeMeasured } from './output-folder.ts';
import { MODELING_FILE, modelingFile } from './safetensors/config.ts';
import { modelShape } from './safetensors/shape.ts';
import { type SafetensorsType, safetensorsFile } from './safetensors/weights.ts';
import type { VerificationWindows } from './verification-windows.ts';
import { type ReferenceLogits, type Verification, verifyLogits } from './verify.ts';

/** What a model can be taken away as. */
export const TAKE_AWAY_FORMATS = ['onnx', 'safetensors', 'gguf'] as const;
/** A format that a model is written in. */
export type TakeAwayFormat = (typeof TAKE_AWAY_FORMATS)[number];

/** A format that was written, opened again and compared. */
export interface TakenAway {
  /** Which of the formats. */
  readonly format: TakeAwayFormat;
  /** Relative to the folder. */
  readonly file: string;
  /** Of the graph and its weights, or of the one file. */
  readonly bytes: number;
  /** 'float16', 'Q8_0', … */
  readonly type: string;
  /** What opens it: the class of transformers, or the architecture of llama.cpp. */
  readonly opens: string;
  /** What ONNX Runtime GenAI leaves out before a text, where this model expects a token there. */
  readonly beginning?: string;
  /** Where other programs do otherwise, in sentences. */
  readonly notes: readonly string[];
  /** How it compares with the model, opened again. */
  readonly verification: Verification;
}

export interface TakeAwayOptions extends LongRunning {
  /** Without removed layers (`compactedCheckpoint`). */
  readonly model: Model;
  readonly output: OutputFolder;
  readonly runtime: Runtime;
  /** Another runtime, for a decoder in half precision where the device has none; it is disposed afterwards. */
  readonly elsewhere?: (() => Promise<Runtime>) | undefined;
  readonly reference: ReferenceLogits;
  readonly windows: VerificationWindows;
  readonly force?: boolean | undefined;
  /** How the weights of the ONNX file were rounded before, where they were. */
  readonly rounding?: string | undefined;
  readonly safetensorsType: SafetensorsType;
  readonly ggufType: GgufType;
  /** Text in which the GGUF file's rule for words is compared with the tokenizer's, where llama.cpp has no equal one. */
  readonly sample: string;
  readonly onFile: (file: WrittenFile) => void;
}

/** How far a written type may be from the model: the bounds of the ONNX format that is as coarse. */
const COARSENESS: Readonly<Record<SafetensorsType | GgufType, ExportDataType>> = {
  float32: 'f32',
  float16: 'f16',
  bfloat16: 'q8',
  F32: 'f32',
  F16: 'f16',
  Q8_0: 'q8',
  Q4_0: 'q4',
  Q4_1: 'q4',
};

/** Writes `model.safetensors` (and `modeling_espalier.py` where layers differ), opens it again and compares it. The config is the caller's, since formats share it. */
export async function takeAwaySafetensors(options: TakeAwayOptions): Promise<TakenAway> {
  const { model, output, safetensorsType: type, signal, onFile } = options;
  const shape = modelShape(model);
  const file = 'model.safetensors';
  const weights = safetensorsFile(model, shape, type);
  const written = await writeWithProgress(options, file, weights);
  if (!shape.isPlain) onFile(await writeMeasured(output, MODELING_FILE, textChunks(modelingFile(model)), { signal }));
  return {
    format: 'safetensors',
    file,
    bytes: written.bytes,
    type,
    opens: shape.isPlain ? 'transformers' : 'transformers with trust_remote_code',
    notes: [],
    verification: await verifyWritten(options, file, COARSENESS[type], '--safetensors-type f16 or f32'),
  };
}

/** Writes `NAME-TYPE.gguf`, opens it again and compares it. Throws UnsupportedError where llama.cpp has no home for the model. */
export async function takeAwayGguf(options: TakeAwayOptions): Promise<TakenAway> {
  const { model, ggufType: type, sample } = options;
  const name = model.checkpoint.provenance.name.split('/').at(-1) ?? 'model';
  const file = `${name.replace(/\.gguf$/, '').replace(/[^\w.-]+/g, '-')}-${type}.gguf`;
  const weights = await ggufModel(model, { type, sample });
  const written = await writeWithProgress(options, file, weights);
  return {
    format: 'gguf',
    file,
    bytes: written.bytes,
    type,
    opens: `llama.cpp (${weights.home.architecture})`,
    notes: weights.notes,
    verification: await verifyWritten(options, file, COARSENESS[type], '--gguf-type Q8_0, F16 or F32'),
  };
}

async function writeWithProgress(
  { output, signal, onProgress, onFile }: TakeAwayOptions,
  name: string,
  { byteLength, chunks }: { readonly byteLength: number; chunks(): AsyncIterable<Uint8Array> },
): Promise<WrittenFile> {
  let completed = 0;
  const onBytes = (bytes: number) => {
    completed += bytes;
    onProgress?.({ stage: 'writing weights', completed, total: byteLength, unit: 'bytes' });
  };
  const file = await writeMeasured(output, name, chunks(), { signal, onBytes });
  onFile(file);
  return file;
}

/** The written file by itself, on programs compiled for it: nothing of the model that it was made from takes part. */
async function verifyWritten(
  { output, runtime, reference, windows: { windows, source }, force, signal, onProgress }: TakeAwayOptions,
  weights: string,
  dataType: ExportDataType,
  types: string,
): Promise<Verification> {
  const model = modelOf(await openCheckpoint(await output.reopen(), { weights }));
  using programs = new Programs(runtime, model.architecture);
  using store = new WeightStore(runtime, model);
  return await verifyLogits(blockProgramLogits(programs, store), reference, {
    dataType,
    windows,
    source,
    force,
    finer: dataType === 'f32' ? undefined : `Write a finer type (${types})`,
    signal,
    onProgress,
  });
}
