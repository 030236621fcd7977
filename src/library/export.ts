import { type Model, modelOf } from '../architecture/model.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { UsageError } from '../errors.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { type ExportResult, exportModel, type MeasureExport } from '../export/export-model.ts';
import type { GgufType } from '../export/gguf/blocks.ts';
import { memoryFolder } from '../export/memory-folder.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import type { SafetensorsType } from '../export/safetensors/weights.ts';
import type { TakeAwayFormat } from '../export/take-away.ts';
import { zipBlob } from '../export/zip.ts';
import type { Plan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import { seededRandom } from '../random.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { calibratedRounding } from '../surgery/calibrated-rounding.ts';
import type { OpenModel } from './open-model.ts';
import { sampledWindows } from './sampled-windows.ts';
import { VERSION } from './version.ts';

export { GGUF_TYPES, type GgufType } from '../export/gguf/blocks.ts';
export type { OutputFolder } from '../export/output-folder.ts';
export type { SafetensorsType } from '../export/safetensors/weights.ts';
export { TAKE_AWAY_FORMATS, type TakeAwayFormat, type TakenAway } from '../export/take-away.ts';
export { VERIFIED_POSITIONS } from '../export/verification-windows.ts';

/** Tokens that stand for text where there is none, and how long a sequence of them is. */
const DRAWN_TOKENS = 1024;
const DRAWN_WINDOW = 64;

/** GPTQ on text; to the nearest, on grids chosen by how large the inputs are; or to the nearest, all weights alike. */
export type Rounding = 'gptq' | 'weighted' | 'nearest';

/** Where a model goes, in which formats and numbers. */
export interface ExportPrunedOptions extends LongRunning {
  /** The folder that is written. */
  readonly output: OutputFolder;
  /** Number format of the ONNX file. Default 'f32'. */
  readonly dtype?: ExportDataType;
  /** Recorded in espalier.json and on the card. */
  readonly plan?: Plan;
  /** Windows of real text to verify on; what they lack of 256 positions the model writes itself. */
  readonly windows?: readonly ArrayLike<number>[] | undefined;
  /** How q4 rounds the matrices (docs/method.md section 10). Default: 'gptq' with `roundingWindows`, else 'weighted'. */
  readonly rounding?: Rounding | undefined;
  /** Windows of text for it; 'weighted' makes do with drawn tokens. */
  readonly roundingWindows?: readonly ArrayLike<number>[] | undefined;
  /** Keep a coarse format that is farther from the model than its bounds allow. Default false. */
  readonly force?: boolean | undefined;
  /** Measurements for the model card, by their names. */
  readonly figures?: Readonly<Record<string, string>>;
  /** Measures the written ONNX file itself. */
  readonly measure?: MeasureExport | undefined;
  /** Default ONNX alone. */
  readonly formats?: readonly TakeAwayFormat[] | undefined;
  /** Number format of safetensors. Default: float32 with `dtype` 'f32', else float16. */
  readonly safetensorsType?: SafetensorsType | undefined;
  /** Storage of the matrices of a GGUF file. Default 'F16'. */
  readonly ggufType?: GgufType | undefined;
  /** Another runtime to verify half precision on, where the device has none. */
  readonly elsewhere?: (() => Promise<Runtime>) | undefined;
}

/** Writes a (pruned) model as an ONNX folder and verifies it against the block programs before it gets its name (docs/architecture.md section 1.6). */
export async function exportPruned(pruned: OpenModel, options: ExportPrunedOptions): Promise<ExportResult> {
  const { output, dtype, plan, windows, figures, signal, onProgress } = options;
  const { measure, formats, safetensorsType, ggufType, elsewhere } = options;
  // From here on the export takes what it wrote away; before, whoever made the folder would be left with it.
  const { sample, rounding, sampled } = await prepared(pruned, options).catch(async (error: unknown) => {
    await output.discard();
    throw error;
  });
  return exportModel({
    model: pruned.model,
    rounded: rounding,
    sampled,
    force: options.force,
    output,
    runtime: pruned.runtime,
    elsewhere,
    reference: blockProgramLogits(pruned.programs, pruned.store),
    programs: pruned.programs,
    version: VERSION,
    signal,
    onProgress,
    measure,
    formats,
    safetensorsType,
    ggufType,
    sample,
    ...(windows ? { windows } : {}),
    ...(dtype === undefined ? {} : { dataType: dtype }),
    ...(plan === undefined ? {} : { plan }),
    ...(figures === undefined ? {} : { figures }),
  });
}

async function prepared(pruned: OpenModel, options: ExportPrunedOptions) {
  return {
    // Real text shows best where llama.cpp would cut it otherwise.
    sample: options.formats?.includes('gguf') ? await sampleText(pruned, options.windows) : undefined,
    rounding: await rounded(pruned, options),
    sampled: await sampledWindows(pruned, options.windows ?? [], options),
  };
}

/** The model rounded by its inputs, where q4 asks for that. Weights that a training holds in groups already are exported as they are. */
async function rounded(
  { programs, store, model, structuresOf, config }: OpenModel,
  options: ExportPrunedOptions,
): Promise<{ readonly model: Model; readonly how: string } | undefined> {
  const { dtype, roundingWindows, rounding: how = roundingWindows ? 'gptq' : 'weighted', signal, onProgress } = options;
  if (dtype !== 'q4' || how === 'nearest' || model.checkpoint.groupQuantised) return undefined;
  if (how === 'gptq' && !roundingWindows)
    throw new UsageError('Rounding by GPTQ needs text: give roundingWindows, or round by "weighted" or "nearest".');
  const windows = roundingWindows ?? drawnWindows(config);
  const checkpoint = await calibratedRounding(programs, store, windows, { how, structuresOf, signal, onProgress });
  return { model: modelOf(checkpoint), how };
}

/** Windows drawn from the vocabulary, by a fixed seed: how large inputs are, channel by channel, hardly depends on the text. */
function drawnWindows({ vocabulary, maximumPositions }: OpenModel['config']): readonly (readonly number[])[] {
  const random = seededRandom(0);
  const length = Math.min(DRAWN_WINDOW, maximumPositions);
  return Array.from({ length: DRAWN_TOKENS / DRAWN_WINDOW }, () =>
    Array.from({ length }, () => Math.floor(random() * vocabulary)),
  );
}

/** What tokenizers cut differently: numbers, contractions, empty lines, indents, punctuation before line ends, capitals, accents. */
const PROBE = [
  'Once upon a time, in 2024, there were 12345 birds. "It\'s 3.14!" she\'d said.\n\n',
  "He'll go\tto the ÉCOLE; they're HERE (at 10:30)...\n\n\nThe next day,\n",
  '  def f(x):\n    return x**2 + 7\n\n\tindented  twice   and more\r\n"Yes!"\n"No?"\n- one\n- two\n1. three\n',
].join('');

async function sampleText(model: OpenModel, windows: readonly ArrayLike<number>[] = []): Promise<string> {
  const tokenizer = await model.tokenizer();
  const texts = windows.slice(0, 64).map((ids) => tokenizer.decode(Array.from(ids), { skipSpecialTokens: true }));
  return [PROBE, ...texts].join('\n');
}

/** The same as a zip archive that holds the folder `name`, with its files one by one and its model card. Throws what `exportPruned` throws, and UnsupportedError above 4 GiB. */
export async function exportArchive(
  pruned: OpenModel,
  name: string,
  options: Omit<ExportPrunedOptions, 'output'>,
): Promise<
  ExportResult & { readonly archive: Blob; readonly card: Blob; readonly contents: ReadonlyMap<string, Blob> }
> {
  const output = memoryFolder();
  const result = await exportPruned(pruned, { ...options, output });
  return {
    ...result,
    archive: await zipBlob(output.files, name),
    card: output.files.get('README.md') ?? new Blob(),
    contents: output.files,
  };
}
