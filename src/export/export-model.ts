import { denseWidths, EXACT } from '../architecture/block-weights.ts';
import { countParameters, type Model, modelOf } from '../architecture/model.ts';
import { perToken, tokenCosts } from '../architecture/multiply-accumulates.ts';
import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { parseJsonRecord } from '../checkpoint/files/json.ts';
import { allowsFixedCache } from '../decoder/attention.ts';
import { decoderGraph, decoderPositions } from '../decoder/decoder-graph.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../decoder/dtypes.ts';
import { QuantisedMatrices } from '../decoder/quantised-matrices.ts';
import { roundedCheckpoint } from '../decoder/rounded.ts';
import { sensitiveNote, tensorsInTableBits } from '../decoder/sensitive.ts';
import { CancelledError, UsageError } from '../errors.ts';
import { decoderPerplexity } from '../evaluate/decoder-perplexity.ts';
import type { PerplexityResult } from '../evaluate/perplexity.ts';
import { openDecoder } from '../generate/decoder.ts';
import { writeModel } from '../onnx/write.ts';
import type { Plan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { compactedCheckpoint } from '../surgery/compact.ts';
import { blockProgramLogits } from './block-logits.ts';
import { copiedFiles, exportedConfig, generationConfig } from './companions.ts';
import { GENAI_FILE, genaiConfig, genaiGraph, genaiRefusal } from './genai.ts';
import { beginningNote, type GenaiWords, genaiWords, genaiWordsNote, textBeginning } from './genai-words.ts';
import type { GgufType } from './gguf/blocks.ts';
import { ggufModel } from './gguf/model.ts';
import { modelCard } from './model-card.ts';
import { type OutputFolder, textChunks, type WrittenFile, writeMeasured } from './output-folder.ts';
import { safetensorsConfig } from './safetensors/config.ts';
import { modelShape } from './safetensors/shape.ts';
import type { SafetensorsType } from './safetensors/weights.ts';
import { GENAI, GENAI_BY_IDS } from './samples-of-use.ts';
import {
  TAKE_AWAY_FORMATS,
  type TakeAwayFormat,
  type TakeAwayOptions,
  type TakenAway,
  takeAwayGguf,
  takeAwaySafetensors,
} from './take-away.ts';
import { verificationWindows } from './verification-windows.ts';
import { type ReferenceLogits, type Verification, verifyDecoder } from './verify.ts';

export interface ExportOptions extends LongRunning {
  /** The (pruned) model. */
  readonly model: Model;
  /** The model with its matrices on the grids of the ONNX file's number format already, where that is not left to the file. */
  readonly rounded?: { readonly model: Model; readonly how: string } | undefined;
  readonly output: OutputFolder;
  readonly runtime: Runtime;
  /** Another runtime, for a decoder in half precision where the device has none. */
  readonly elsewhere?: (() => Promise<Runtime>) | undefined;
  /** Logits of the block programs, which the written decoder must reproduce. */
  readonly reference: ReferenceLogits;
  /** The block programs; with them, coarse formats are also held to the model whose weights are as they are rounded. */
  readonly programs?: Programs | undefined;
  /** Windows of text to verify on, as token ids; what they and `sampled` lack of 256 positions is drawn from the vocabulary. */
  readonly windows?: readonly ArrayLike<number>[] | undefined;
  /** Windows that the model wrote itself, for what `windows` lacks. */
  readonly sampled?: readonly ArrayLike<number>[] | undefined;
  /** Keep a coarse format that is farther from the model than its bounds allow. Default false. */
  readonly force?: boolean | undefined;
  /** Default 'f32'. */
  readonly dataType?: ExportDataType | undefined;
  /** What to write, in one folder with one config.json and tokenizer. Default ONNX alone. */
  readonly formats?: readonly TakeAwayFormat[] | undefined;
  /** Default: float32 with `dataType` f32, else float16. */
  readonly safetensorsType?: SafetensorsType | undefined;
  /** Default F16. */
  readonly ggufType?: GgufType | undefined;
  /** Text in which the GGUF file's rule for words is compared with the tokenizer's, where llama.cpp has no equal one. */
  readonly sample?: string | undefined;
  /** How the model was pruned; absent for a dense model. */
  readonly plan?: Plan | undefined;
  /** Windows of token ids on which the written ONNX file itself is measured, and how the model card calls the figure. Absent: it is not measured. */
  readonly measure?: MeasureExport | undefined;
  /** Measurements for the model card. */
  readonly figures?: Readonly<Record<string, string>> | undefined;
  /** The engine's version, for the record. */
  readonly version: string;
}

/** What the written file is measured on. */
export interface MeasureExport {
  /** Text to measure on. */
  readonly windows: readonly ArrayLike<number>[];
  /** e.g. 'perplexity on held-out text, 16 × 128 tokens'. */
  readonly name: string;
  /** What follows the value, e.g. '(dense 4.07)'. */
  readonly against?: string | undefined;
}

/** What an export wrote, and how far it is from the model. */
export interface ExportResult {
  /** Every file of the folder. */
  readonly files: readonly WrittenFile[];
  /** One entry for every format, in the order of `TAKE_AWAY_FORMATS`. */
  readonly formats: readonly TakenAway[];
  /** Bytes of the first format's graph and weights. */
  readonly bytes: number;
  /** Of the dense model. */
  readonly parametersBefore: number;
  /** Of what was written. */
  readonly parametersAfter: number;
  /** Of the first format. */
  readonly verification: Verification;
  /** Of the written ONNX file, where it was measured. */
  readonly perplexity: PerplexityResult | undefined;
}

/**
 * Writes the folder of a pruned model: decoder graph and weights, config, tokenizer, recipe with hashes, model card. The decoder is opened
 * again and compared with the block programs before the folder gets its name; on any error, VerificationError and CancelledError included,
 * everything written is removed.
 */
export async function exportModel(options: ExportOptions): Promise<ExportResult> {
  const { output } = options;
  try {
    const result = await writeFolder(options);
    if (options.signal?.aborted) throw new CancelledError();
    await output.publish();
    return result;
  } catch (error) {
    await output.discard();
    throw error;
  }
}

async function writeFolder(options: ExportOptions): Promise<ExportResult> {
  const { output, runtime, plan, signal, measure, version, formats: asked = ['onnx'] } = options;
  const dataType = options.dataType ?? 'f32';
  const isOnnxAlone = asked.every((name) => name === 'onnx');
  // Other programs know no removed layers: all formats of one folder have the same ones.
  const model = isOnnxAlone ? options.model : modelOf(compactedCheckpoint(options.model.checkpoint));
  const written = !options.rounded
    ? model
    : isOnnxAlone
      ? options.rounded.model
      : modelOf(compactedCheckpoint(options.rounded.model.checkpoint));
  const { checkpoint, architecture } = model;
  const { config } = architecture;
  const format = EXPORT_FORMATS[dataType];
  const files: WrittenFile[] = [];
  const write = async (name: string, chunks: Parameters<OutputFolder['write']>[1]) => {
    files.push(await writeMeasured(output, name, chunks, { signal }));
  };
  const windows = verificationWindows(
    options.windows ?? [],
    config.vocabulary,
    decoderPositions(config),
    options.sampled,
  );
  const job: TakeAwayOptions = {
    ...options,
    model,
    windows,
    rounding: options.rounded?.how,
    safetensorsType: options.safetensorsType ?? (dataType === 'f32' ? 'float32' : 'float16'),
    ggufType: options.ggufType ?? 'F16',
    sample: options.sample ?? '',
    onFile: (file) => files.push(file),
  };
  // Refused before anything is written where llama.cpp has no home for the shape, or a type none for a width.
  if (asked.includes('gguf')) await ggufModel(model, { type: job.ggufType, sample: job.sample });
  const onnxKeys = exportedConfig(model, format, decoderPositions(config));
  const plainKeys = isOnnxAlone ? {} : safetensorsConfig(model, modelShape(model), job.safetensorsType);
  await write('config.json', textChunks(asked.includes('onnx') ? { ...onnxKeys, ...plainKeys } : plainKeys));
  const generation = await generationConfig(checkpoint, config);
  await write('generation_config.json', generation instanceof Uint8Array ? [generation] : textChunks(generation));
  for (const { name, bytes } of await copiedFiles(checkpoint)) await write(name, [bytes]);

  const formats: TakenAway[] = [];
  let perplexity: PerplexityResult | undefined;
  for (const name of TAKE_AWAY_FORMATS) {
    if (!asked.includes(name)) continue;
    if (name === 'onnx') {
      const taken = await takeAwayOnnx(
        { ...job, model: written },
        dataType,
        isOnnxAlone ? options.programs : undefined,
        measure,
      );
      perplexity = taken.perplexity;
      formats.push(taken.format);
    } else formats.push(await (name === 'gguf' ? takeAwayGguf(job) : takeAwaySafetensors(job)));
  }
  const figures = { ...options.figures, ...(measure && perplexity && figureOf(measure, perplexity)) };
  const [first] = formats;
  if (!first) throw new UsageError(`No format was named. Name one or more of ${TAKE_AWAY_FORMATS.join(', ')}.`);

  const parametersAfter = countParameters(model).parameters;
  const parametersBefore = plan?.parametersBefore ?? parametersAfter;
  const { provenance } = checkpoint;
  const costs = tokenCosts(architecture);
  const { verification, bytes } = first;
  await write(
    'README.md',
    textChunks(
      modelCard({
        provenance,
        config,
        recipe: plan?.recipe,
        parametersBefore,
        parametersAfter,
        multiplyAccumulates: {
          context: costs.context,
          before: perToken(costs, denseWidths(config)),
          after: perToken(costs, config.layerWidths),
        },
        format,
        formats,
        figures,
      }),
    ),
  );
  const record = {
    format: 'espalier-model/1',
    base: { ...provenance, sha256: await checkpoint.sha256() },
    recipe: plan?.recipe,
    kept: plan?.layers,
    dtype: dataType,
    rounding: options.rounded?.how,
    parametersBefore,
    parametersAfter,
    files: [...files],
    verification,
    formats,
    figures,
    engine: { version, backend: runtime.backend },
  };
  await write('espalier.json', textChunks(record));
  return { files, formats, bytes, parametersBefore, parametersAfter, verification, perplexity };
}

/** The measured figure as a line of the model card. */
function figureOf({ name, against }: MeasureExport, { perplexity, standardError }: PerplexityResult) {
  const value = `${perplexity.toPrecision(3)} ± ${standardError.toPrecision(2)}`;
  return { [name]: against ? `${value} ${against}` : value };
}

/** Writes the decoder's graph and weights, opens them again, compares them, and measures them where asked for. */
async function takeAwayOnnx(
  {
    model,
    output,
    runtime,
    elsewhere,
    reference,
    windows: { windows, source },
    force,
    rounding,
    onFile,
    signal,
    onProgress,
  }: TakeAwayOptions,
  dataType: ExportDataType,
  programs: Programs | undefined,
  measure: MeasureExport | undefined,
): Promise<{ readonly format: TakenAway; readonly perplexity: PerplexityResult | undefined }> {
  const format = EXPORT_FORMATS[dataType];
  const { graph, weights } = decoderGraph(model, { dataType });
  const file = `onnx/${format.file}`;
  const dataName = `onnx/${weights.location}`;
  let completed = 0;
  const onBytes = (bytes: number) => {
    completed += bytes;
    onProgress?.({ stage: 'writing weights', completed, total: weights.byteLength, unit: 'bytes' });
  };
  const matrices = new QuantisedMatrices();
  const data = await writeMeasured(output, dataName, weights.chunks(model.checkpoint, matrices), { signal, onBytes });
  const graphFile = await writeMeasured(output, file, [writeModel(graph)], { signal });
  onFile(data);
  onFile(graphFile);
  const { config } = model.architecture;
  const refusal = genaiRefusal(graph);
  const { words, beginning } = refusal === undefined ? await textInGenai(model) : {};
  if (refusal === undefined) {
    const chunks = textChunks(genaiConfig(config, decoderPositions(config), graph));
    onFile(await writeMeasured(output, GENAI_FILE, [writeModel(genaiGraph(graph))], { signal }));
    onFile(await writeMeasured(output, 'genai_config.json', chunks, { signal }));
  }
  // Opening what was written is a part of it.
  const positions = windows.reduce((sum, window) => sum + window.length, 0);
  onProgress?.({ stage: 'verifying', completed: 0, total: positions, unit: 'tokens' });
  // Half precision on a device that has none is run where it is expanded to single precision.
  using other =
    elsewhere && dataType === 'f16' && runtime.adapter?.halfPrecision === false ? await elsewhere() : undefined;
  const ran = other ?? runtime;
  const opened = await output.openModel(file, dataName, ran.backend);
  using decoder = await openDecoder(ran, opened.model, {
    externalData: opened.externalData,
    label: file,
    fixedCache: allowsFixedCache(config.headDimension),
  });
  using own = programs ? undefined : new Programs(runtime, model.architecture);
  const roundedPrograms = programs ?? own;
  const roundedReference =
    dataType === 'f32' || !roundedPrograms ? undefined : roundedLogits(model, roundedPrograms, dataType, matrices);
  const verification = await verifyDecoder(decoder, reference, {
    dataType,
    windows,
    source,
    force,
    rounding,
    chooses: config.mixture !== undefined,
    roundedReference,
    signal,
    onProgress,
  });
  const perplexity =
    measure &&
    (await decoderPerplexity(decoder, model.architecture.config.vocabulary, measure.windows, {
      signal,
      onProgress,
    }));
  return {
    format: {
      format: 'onnx',
      file,
      bytes: data.bytes + graphFile.bytes,
      type: format.transformersName,
      opens: `transformers.js${words ? `, ${words.kind === 'same' ? GENAI : GENAI_BY_IDS}` : ''} and ONNX Runtime`,
      ...(beginning !== undefined && { beginning }),
      notes: [
        sensitiveNote(model, dataType),
        refusal ?? (words && genaiWordsNote(words)),
        beginningNote(beginning),
      ].flatMap((note) => note ?? []),
      verification,
    },
    perplexity,
  };
}

/** How ONNX Runtime GenAI takes the tokenizer; a model without one is run by ids anyhow. Ids that the tokenizers package makes have the first token. */
async function textInGenai({
  checkpoint,
}: Model): Promise<{ readonly words: GenaiWords; readonly beginning?: string | undefined }> {
  const bytes = await checkpoint.file('tokenizer.json');
  if (!bytes) return { words: { kind: 'same' } };
  const tokenizer = parseJsonRecord(bytes, 'tokenizer.json');
  const words = genaiWords(tokenizer);
  return { words, beginning: words.kind === 'same' ? textBeginning(tokenizer) : undefined };
}

/** Weights are streamed: they are needed once. What was rounded for the file is not rounded again. */
function roundedLogits(
  model: Model,
  programs: Programs,
  dataType: ExportDataType,
  matrices: QuantisedMatrices,
): ReferenceLogits {
  const { checkpoint, architecture } = model;
  const exact = architecture.config.layerWidths.flatMap((_, layer) =>
    architecture.blockWeights(layer).flatMap(({ input, tensor }) => (EXACT.includes(input) ? [tensor] : [])),
  );
  const tables = tensorsInTableBits(model, dataType);
  return blockProgramLogits(
    programs,
    new WeightStore(programs.runtime, modelOf(roundedCheckpoint(checkpoint, dataType, tables, matrices, exact))),
  );
}
