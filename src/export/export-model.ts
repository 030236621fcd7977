import { countParameters, type Model, modelOf } from '../architecture/model.ts';
import { perToken, tokenCosts } from '../architecture/multiply-accumulates.ts';
import type { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { allowsFixedCache } from '../decoder/attention.ts';
import { decoderGraph, decoderPositions } from '../decoder/decoder-graph.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../decoder/dtypes.ts';
import { roundedCheckpoint } from '../decoder/rounded.ts';
import { CancelledError } from '../errors.ts';
import { openDecoder } from '../generate/decoder.ts';
import { writeModel } from '../onnx/write.ts';
import type { Plan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { blockProgramLogits } from './block-logits.ts';
import { copiedFiles, exportedConfig, generationConfig } from './companions.ts';
import { modelCard } from './model-card.ts';
import { type OutputFolder, textChunks, type WrittenFile, writeMeasured } from './output-folder.ts';
import { verificationWindows } from './verification-windows.ts';
import { type ReferenceLogits, type Verification, verifyDecoder } from './verify.ts';

export interface ExportOptions extends LongRunning {
  /** The (pruned) model. */
  readonly model: Model;
  readonly output: OutputFolder;
  readonly runtime: Runtime;
  /** Logits of the block programs, which the written decoder must reproduce. */
  readonly reference: ReferenceLogits;
  /** The block programs; with them, coarse formats are also held to the model whose weights are as they are rounded. */
  readonly programs?: Programs | undefined;
  /** Windows of text to verify on, as token ids; what they lack of 256 positions is drawn from the vocabulary. */
  readonly windows?: readonly ArrayLike<number>[] | undefined;
  /** Default 'f32'. */
  readonly dataType?: ExportDataType | undefined;
  /** How the model was pruned; absent for a dense model. */
  readonly plan?: Plan | undefined;
  /** Measurements for the model card. */
  readonly figures?: Readonly<Record<string, string>> | undefined;
  /** The engine's version, for the record. */
  readonly version: string;
}

export interface ExportResult {
  readonly files: readonly WrittenFile[];
  /** Bytes of graph and weights. */
  readonly bytes: number;
  readonly parametersBefore: number;
  readonly parametersAfter: number;
  readonly verification: Verification;
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
  const { model, output, runtime, plan, signal, onProgress, dataType = 'f32', figures = {}, version } = options;
  const { checkpoint, architecture } = model;
  const format = EXPORT_FORMATS[dataType];
  const { graph, weights } = decoderGraph(model, { dataType });
  const files: WrittenFile[] = [];
  const write = async (
    name: string,
    chunks: Parameters<OutputFolder['write']>[1],
    onBytes?: (bytes: number) => void,
  ) => {
    const file = await writeMeasured(output, name, chunks, { signal, onBytes });
    files.push(file);
    return file;
  };

  const modelName = `onnx/${format.file}`;
  const dataName = `onnx/${weights.location}`;
  let completed = 0;
  const data = await write(dataName, weights.chunks(checkpoint), (bytes) => {
    completed += bytes;
    onProgress?.({ stage: 'writing weights', completed, total: weights.byteLength, unit: 'bytes' });
  });
  const graphFile = await write(modelName, [writeModel(graph)]);
  await write(
    'config.json',
    textChunks(exportedConfig(checkpoint, architecture.config, format, decoderPositions(architecture.config))),
  );
  const generation = await generationConfig(checkpoint, architecture.config);
  await write('generation_config.json', generation instanceof Uint8Array ? [generation] : textChunks(generation));
  for (const { name, bytes } of await copiedFiles(checkpoint)) await write(name, [bytes]);

  const opened = await output.openModel(modelName, dataName, runtime.backend);
  const { headDimension, vocabulary } = architecture.config;
  const { windows, areText } = verificationWindows(
    options.windows ?? [],
    vocabulary,
    decoderPositions(architecture.config),
  );
  using decoder = await openDecoder(runtime, opened.model, {
    externalData: opened.externalData,
    label: modelName,
    fixedCache: allowsFixedCache(headDimension),
  });
  const roundedReference =
    dataType === 'f32' || !options.programs ? undefined : roundedLogits(model, options.programs, dataType);
  const verification = await verifyDecoder(decoder, options.reference, {
    dataType,
    windows,
    areText,
    roundedReference,
    signal,
    onProgress,
  });

  const parametersAfter = countParameters(model).parameters;
  const parametersBefore = plan?.parametersBefore ?? parametersAfter;
  const bytes = data.bytes + graphFile.bytes;
  const { provenance } = checkpoint;
  const costs = tokenCosts(architecture);
  const { layers, keyValueHeads, neurons, layerWidths } = architecture.config;
  const dense = Array.from({ length: layers }, () => ({ keyValueHeads, neurons }));
  const card = {
    provenance,
    config: architecture.config,
    recipe: plan?.recipe,
    parametersBefore,
    parametersAfter,
    multiplyAccumulates: {
      context: costs.context,
      before: perToken(costs, dense),
      after: perToken(costs, layerWidths),
    },
    bytes,
    format,
    verification,
    figures,
  };
  await write('README.md', textChunks(modelCard(card)));
  const record = {
    format: 'espalier-model/1',
    base: { ...provenance, sha256: await checkpoint.sha256() },
    recipe: plan?.recipe,
    kept: plan?.layers,
    dtype: dataType,
    parametersBefore,
    parametersAfter,
    files: [...files],
    verification,
    figures,
    engine: { version, backend: runtime.backend },
  };
  await write('espalier.json', textChunks(record));
  return { files, bytes, parametersBefore, parametersAfter, verification };
}

/** Weights are streamed: they are needed once, and rounded anew as they are read. */
function roundedLogits(
  { checkpoint, architecture }: Model,
  programs: Programs,
  dataType: ExportDataType,
): ReferenceLogits {
  const tables = [...architecture.embedWeights(), ...architecture.headWeights()].map(({ tensor }) => tensor);
  return blockProgramLogits(
    programs,
    new WeightStore(programs.runtime, modelOf(roundedCheckpoint(checkpoint, dataType, tables))),
  );
}
