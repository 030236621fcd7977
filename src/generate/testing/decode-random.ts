import { modelOf } from '../../architecture/model.ts';
import { decoderGraph } from '../../export/decoder-graph.ts';
import type { ExportDataType } from '../../export/dtypes.ts';
import { type RandomLlamaOptions, randomLlama } from '../../export/testing/random-llama.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { openDecoder } from '../decoder.ts';
import { greatest } from '../sampling.ts';

export interface DecodeRandomOptions {
  readonly model: RandomLlamaOptions;
  readonly dataType: ExportDataType;
  readonly fixedCache: boolean;
}

export interface DecodedTokens {
  readonly tokenIds: readonly number[];
  /** [decoded positions][vocabulary] */
  readonly logits: readonly (readonly number[])[];
}

/** Greedy tokens of a random model with the logits that chose them: the same work on every backend, for comparison. */
export async function decodeRandom(runtime: Runtime, options: DecodeRandomOptions): Promise<DecodedTokens> {
  const model = modelOf(randomLlama(options.model));
  const { graph, weights } = decoderGraph(model, { dataType: options.dataType });
  const data = new Uint8Array(weights.byteLength);
  let offset = 0;
  for await (const chunk of weights.chunks(model.checkpoint)) {
    data.set(chunk, offset);
    offset += chunk.byteLength;
  }
  using decoder = await openDecoder(runtime, graph, { externalData: { [weights.location]: data }, fixedCache: options.fixedCache });
  using sequence = decoder.start(24);
  const logits = [await sequence.append([3, 14, 15, 9, 26, 5])];
  const tokenIds: number[] = [];
  while (tokenIds.length < 8) {
    const tokenId = greatest(logits.at(-1) as Float32Array);
    tokenIds.push(tokenId);
    logits.push(await sequence.append([tokenId]));
  }
  return { tokenIds, logits: logits.map((row) => [...row]) };
}
