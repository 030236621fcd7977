import type { Model } from '../architecture/model.ts';
import { throwIfCancelled } from '../errors.ts';
import { allowsFixedCache } from '../export/attention.ts';
import { type DecoderOptions, decoderGraph } from '../export/decoder-graph.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Decoder, openDecoder } from './decoder.ts';

export interface ModelDecoderOptions extends Pick<DecoderOptions, 'dataType' | 'positions'>, LongRunning {}

/**
 * A decoder of a model as it is, dense or pruned, without writing files: the graph is built and its weights are gathered in memory.
 * Weights exist twice for a moment, here and in the session. Throws CancelledError between weights when the signal fires.
 */
export async function decoderForModel(runtime: Runtime, model: Model, options: ModelDecoderOptions = {}): Promise<Decoder> {
  const { graph, weights } = decoderGraph(model, options);
  const data = new Uint8Array(weights.byteLength);
  let offset = 0;
  for await (const chunk of weights.chunks(model.checkpoint)) {
    throwIfCancelled(options.signal);
    data.set(chunk, offset);
    offset += chunk.byteLength;
    options.onProgress?.({ stage: 'loading the decoder', completed: offset, total: weights.byteLength, unit: 'bytes' });
  }
  const fixedCache = allowsFixedCache(model.architecture.config.headDimension);
  return openDecoder(runtime, graph, { externalData: { [weights.location]: data }, label: `decoder of ${model.checkpoint.provenance.name}`, fixedCache });
}
