import type { Model } from '../architecture/model.ts';
import { allowsFixedCache } from '../decoder/attention.ts';
import { allowsSingleToken, type DecoderOptions, decoderGraph, decoderPositions } from '../decoder/decoder-graph.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import type { WeightFile } from '../decoder/weight-file.ts';
import { throwIfCancelled } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Decoder, openDecoder } from './decoder.ts';
import { type PreciseLogits, spotCheck } from './spot-check.ts';

export interface ModelDecoderOptions extends Pick<DecoderOptions, 'dataType' | 'positions'>, LongRunning {
  /**
   * Whether WebGPU decodes single tokens by graph capture, for which the weights are on the device twice and sequences have at most 1,024
   * tokens (longer ones decode without). Default false: on a software adapter it gains nothing, and it was not measured on a graphics card yet.
   * Without effect on other backends.
   */
  readonly capture?: boolean | undefined;
  /** Disposed with the decoder. */
  readonly owned?: Disposable | undefined;
  /** Without it, what the decoder says is taken for right. */
  readonly check?: DecoderCheck | undefined;
}

/** How a decoder is compared with single precision on a few positions before it is trusted, and what is used where it is wrong. */
export interface DecoderCheck {
  readonly precise: PreciseLogits;
  /** Told one sentence for every decoder that is refused. */
  readonly onRefused: (sentence: string) => void;
  /** Makes the runtime where the model is opened when single precision is wrong on its own, too; the decoder owns it. Without it single precision is not checked. */
  readonly elsewhere?: (() => Promise<Runtime>) | undefined;
}

const CAPTURED_TOKENS = 1024;

/**
 * A decoder of a model as it is, dense or pruned, without writing files: the graph is built and its weights are gathered, on web backends in a Blob,
 * which the browser keeps outside the page's heap and of which one tensor at a time is read. Throws CancelledError between weights when the signal fires.
 */
export async function decoderForModel(
  runtime: Runtime,
  model: Model,
  options: ModelDecoderOptions = {},
): Promise<Decoder> {
  const { dataType = 'f32', check } = options;
  const decoder = await open(runtime, model, options, dataType);
  const isHalf = dataType === 'f16';
  if (!check || !(isHalf || check.elsewhere)) return decoder;
  try {
    const { vocabulary, maximumPositions } = model.architecture.config;
    const fault = await spotCheck(decoder, check.precise, vocabulary, maximumPositions);
    if (fault === undefined) return decoder;
    check.onRefused(`${fault} ${isHalf ? 'Single precision' : 'Another backend'} is used instead.`);
  } catch (error) {
    decoder.dispose();
    throw error;
  }
  // What is owned is the next decoder's.
  decoder.release();
  if (isHalf || !check.elsewhere) return decoderForModel(runtime, model, { ...options, dataType: 'f32' });
  options.owned?.[Symbol.dispose]();
  return decoderElsewhere(check.elsewhere, model, options);
}

/** The same in single precision on a runtime of its own, taken for right. */
export async function decoderElsewhere(
  createRuntime: () => Promise<Runtime>,
  model: Model,
  options: ModelDecoderOptions = {},
): Promise<Decoder> {
  const runtime = await createRuntime();
  try {
    return await open(runtime, model, { ...options, owned: runtime }, 'f32');
  } catch (error) {
    runtime.dispose();
    throw error;
  }
}

async function open(
  runtime: Runtime,
  model: Model,
  options: ModelDecoderOptions,
  dataType: ExportDataType,
): Promise<Decoder> {
  const { positions = decoderPositions(model.architecture.config), owned } = options;
  const { graph, weights } = decoderGraph(model, { dataType, positions });
  const data = await gathered(runtime, weights, model, options);
  const captures = options.capture === true && runtime.backend === 'webgpu' && allowsSingleToken(model, dataType);
  const capacity = Math.min(positions, CAPTURED_TOKENS);
  return openDecoder(runtime, graph, {
    externalData: { [weights.location]: data },
    label: `decoder of ${model.checkpoint.provenance.name} on ${runtime.description}`,
    fixedCache: allowsFixedCache(model.architecture.config.headDimension),
    owned,
    // Built in the same order, it refers to the same places of the same file.
    singleToken: captures
      ? { graph: decoderGraph(model, { dataType, positions, singleToken: { capacity } }).graph, capacity }
      : undefined,
  });
}

async function gathered(
  runtime: Runtime,
  weights: WeightFile,
  model: Model,
  { signal, onProgress }: LongRunning,
): Promise<Uint8Array | Blob> {
  const data = runtime.backend === 'cpu' ? new Uint8Array(weights.byteLength) : undefined;
  const parts: Blob[] = [];
  let offset = 0;
  for await (const chunk of weights.chunks(model.checkpoint)) {
    throwIfCancelled(signal);
    if (data) data.set(chunk, offset);
    else parts.push(new Blob([chunk as BlobPart]));
    offset += chunk.byteLength;
    onProgress?.({ stage: 'loading the decoder', completed: offset, total: weights.byteLength, unit: 'bytes' });
  }
  return data ?? new Blob(parts);
}
