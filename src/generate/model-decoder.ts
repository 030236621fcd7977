import type { Model } from '../architecture/model.ts';
import { throwIfCancelled } from '../errors.ts';
import { allowsFixedCache } from '../export/attention.ts';
import { allowsSingleToken, type DecoderOptions, decoderGraph, decoderPositions } from '../export/decoder-graph.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Decoder, openDecoder } from './decoder.ts';

export interface ModelDecoderOptions extends Pick<DecoderOptions, 'dataType' | 'positions'>, LongRunning {
  /**
   * Whether WebGPU decodes single tokens by graph capture, for which the weights are on the device twice and sequences have at most 1,024
   * tokens (longer ones decode without). Default false: on a software adapter it gains nothing, and it was not measured on a graphics card yet.
   * Without effect on other backends.
   */
  readonly capture?: boolean | undefined;
}

const CAPTURED_TOKENS = 1024;

/**
 * A decoder of a model as it is, dense or pruned, without writing files: the graph is built and its weights are gathered in memory.
 * Weights exist twice for a moment, here and in the session. Throws CancelledError between weights when the signal fires.
 */
export async function decoderForModel(runtime: Runtime, model: Model, options: ModelDecoderOptions = {}): Promise<Decoder> {
  const { dataType = 'f32', positions = decoderPositions(model.architecture.config), signal, onProgress } = options;
  const { graph, weights } = decoderGraph(model, { dataType, positions });
  const data = new Uint8Array(weights.byteLength);
  let offset = 0;
  for await (const chunk of weights.chunks(model.checkpoint)) {
    throwIfCancelled(signal);
    data.set(chunk, offset);
    offset += chunk.byteLength;
    onProgress?.({ stage: 'loading the decoder', completed: offset, total: weights.byteLength, unit: 'bytes' });
  }
  const captures = options.capture === true && runtime.backend === 'webgpu' && allowsSingleToken(model, dataType);
  const capacity = Math.min(positions, CAPTURED_TOKENS);
  return openDecoder(runtime, graph, {
    externalData: { [weights.location]: data },
    label: `decoder of ${model.checkpoint.provenance.name}`,
    fixedCache: allowsFixedCache(model.architecture.config.headDimension),
    // Built in the same order, it refers to the same places of the same file.
    singleToken: captures ? { graph: decoderGraph(model, { dataType, positions, singleToken: { capacity } }).graph, capacity } : undefined,
  });
}
