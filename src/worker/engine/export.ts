import type { PerplexityResult } from '../../evaluate/perplexity.ts';
import { tokenWindows } from '../../evaluate/token-windows.ts';
import type { ExportResult } from '../../export/export-model.ts';
import { directoryFolder } from '../../library/directory-folder.ts';
import {
  exportArchive,
  exportPruned,
  type GgufType,
  type SafetensorsType,
  type TakeAwayFormat,
  type TakenAway,
} from '../../library/export.ts';
import type { OpenModel } from '../../library/open-model.ts';
import { vocabularyFigures } from '../../library/prune.ts';
import { trimVocabulary, vocabularyCost } from '../../library/vocabulary.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { PerplexityMeasurement } from './evaluate.ts';
import type { Repair } from './repaired-models.ts';
import type { KeptVocabulary } from './vocabulary.ts';

export type { GgufType, SafetensorsType, TakeAwayFormat, TakenAway } from '../../library/export.ts';

export interface ExportRequest {
  readonly dtype: 'f32' | 'f16' | 'q8' | 'q4';
  /** What to write into the one folder. Default ONNX alone. */
  readonly formats?: readonly TakeAwayFormat[] | undefined;
  /** Default F16. */
  readonly ggufType?: GgufType | undefined;
  /** Default: float32 where `dtype` is f32, else float16. */
  readonly safetensorsType?: SafetensorsType | undefined;
  /** Text to verify on. */
  readonly text: string;
  readonly repair?: Repair | undefined;
  /** How much of the vocabulary stays; absent: all. */
  readonly vocabulary?: KeptVocabulary | undefined;
  /** Measurements for the model card, one line each. */
  readonly figures?: Readonly<Record<string, string>> | undefined;
  /** How the built file itself is measured on the text; absent: it is not. */
  readonly measure?: MeasureRequest | undefined;
  /** A folder that the reader picked: a new one is written into it. Absent: a zip archive is made. */
  readonly folder?: FileSystemDirectoryHandle | undefined;
}

/** On how much of the text, and how the model card calls and compares the figure. */
export interface MeasureRequest {
  readonly windows: number;
  /** Tokens per window. */
  readonly length: number;
  readonly name: string;
  readonly against?: string | undefined;
}

/** The exported graph against the block programs, over the positions that were compared. */
export interface Verification {
  readonly maxAbsoluteDifference: number;
  /** Share of positions whose most probable token is the same, 0 … 1. */
  readonly top1Agreement: number;
  readonly positions: number;
}

export interface ExportedModel {
  /** Name of the folder, e.g. 'stories-pruned-20-f16'. */
  readonly name: string;
  /** The folder as a zip archive; undefined where it was written into a picked one. */
  readonly archive: Blob | undefined;
  /** The model card. */
  readonly card: Blob;
  readonly files: readonly ExportedFile[];
  /** Every format with what opens it and how it agrees, as it was opened again. */
  readonly formats: readonly TakenAway[];
  /** Of the first format. */
  readonly verification: Verification;
  /** Of the built file, where it was measured. */
  readonly perplexity: PerplexityMeasurement | undefined;
}

export interface ExportedFile {
  readonly name: string;
  readonly bytes: number;
  /** What is in it; of a picked folder as it lies there. */
  readonly content: Blob;
}

export interface ExportCalls {
  /** Builds and verifies a pruned model, into a folder that the reader picked or as a zip archive. */
  export(plan: Plan, request: ExportRequest, options?: LongRunning): Promise<ExportedModel>;
}

export function exportCalls(bench: Bench): ExportCalls {
  return {
    export: (plan, request, options = {}) =>
      bench.heavy(
        () => bench.models.use(plan, request.repair, options, (open) => trimmed(bench, open, plan, request, options)),
        options,
      ),
  };
}

/** With the vocabulary that is asked for. */
async function trimmed(
  bench: Bench,
  open: OpenModel,
  plan: Plan,
  request: ExportRequest,
  options: LongRunning,
): Promise<ExportedModel> {
  const { vocabulary, figures } = request;
  if (!vocabulary) return deliver(bench, open, plan, request, options);
  const { keep } = vocabulary;
  const found = await trimVocabulary(open, { keep, windows: await bench.drawn(vocabulary), ...options });
  using smaller = found.model;
  const told = { ...figures, ...vocabularyFigures(vocabularyCost(found)) };
  const kept = { ...plan, recipe: { ...plan.recipe, vocabulary: keep } };
  return await deliver(bench, smaller, kept, { ...request, figures: told }, options);
}

/** Tokens of the windows that an export is verified on. */
const VERIFIED_LENGTH = 128;

/** A text in windows of the tokens that the model has. */
async function windowsOf(bench: Bench, open: OpenModel, text: string, length: number) {
  if (open.vocabulary === bench.model.vocabulary) return bench.windowsOf(text, length);
  return tokenWindows((await open.tokenizer()).encode(text, { addSpecialTokens: false }), { length });
}

async function deliver(
  bench: Bench,
  open: OpenModel,
  plan: Plan,
  { dtype, formats = ['onnx'], ggufType, safetensorsType, text, repair, figures, measure, folder }: ExportRequest,
  options: LongRunning,
): Promise<ExportedModel> {
  const made = repair && 'recovered' in repair ? 'recovered' : 'pruned';
  const compensate = repair && 'compensate' in repair ? repair.compensate : (plan.recipe.compensate ?? 'none');
  const name = open.model.checkpoint.provenance.name.split('/').at(-1);
  const wanted = `${name}-${made}-${Math.round(plan.ratio * 100)}${formats.includes('onnx') ? `-${dtype}` : ''}`;
  const exporting = {
    ...{ dtype, formats, ggufType, safetensorsType },
    plan: { ...plan, recipe: { ...plan.recipe, dtype, compensate } },
    windows: await windowsOf(bench, open, text, VERIFIED_LENGTH),
    elsewhere: () => bench.platform.createRuntime('wasm'),
    ...(figures && { figures }),
    ...(measure && {
      measure: { ...measure, windows: (await windowsOf(bench, open, text, measure.length)).slice(0, measure.windows) },
    }),
    ...options,
  };
  if (folder) {
    const output = await directoryFolder(folder, wanted);
    const result = await exportPruned(open, { output, ...exporting });
    const card = await output.read('README.md');
    const files: ExportedFile[] = [];
    for (const { name, bytes } of result.files) files.push({ name, bytes, content: await output.read(name) });
    return { ...{ name: output.name, archive: undefined, card, files }, ...outcome(result) };
  }
  const { archive, card, contents, ...result } = await exportArchive(open, wanted, exporting);
  const files = [...contents].map(([name, content]) => ({ name, bytes: content.size, content }));
  return { ...{ name: wanted, archive, card, files }, ...outcome(result) };
}

function measurement(result: PerplexityResult | undefined): PerplexityMeasurement | undefined {
  if (!result) return undefined;
  const { perplexity, standardError, tokens, windows, windowLosses } = result;
  return { perplexity, standardError, tokens, windows, windowLosses };
}

/** What a reader is told of a build, as plain data. */
function outcome({ formats, verification, perplexity }: Pick<ExportResult, 'formats' | 'verification' | 'perplexity'>) {
  return { formats, verification, perplexity: measurement(perplexity) };
}
