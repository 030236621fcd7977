import { modelOf } from '../../architecture/model.ts';
import { decoderGraph } from '../../export/decoder-graph.ts';
import type { ExportDataType } from '../../export/dtypes.ts';
import { type RandomLlamaOptions, randomLlama } from '../../export/testing/random-llama.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type Decoder, openDecoder } from '../decoder.ts';
import { decoderForModel } from '../model-decoder.ts';
import { greatest } from '../sampling.ts';

export interface DecodeRandomOptions {
  readonly model: RandomLlamaOptions;
  readonly dataType: ExportDataType;
  /** 'captured' where the backend can capture graphs, otherwise as 'fixed'. */
  readonly cache: 'growing' | 'fixed' | 'captured';
}

export interface DecodedTokens {
  readonly tokenIds: readonly number[];
  /** [decoded positions][vocabulary] */
  readonly logits: readonly (readonly number[])[];
}

/** Greedy tokens of a random model with the logits that chose them: the same work on every backend, for comparison. Twice, so that what one sequence leaves behind would show in the next. */
export async function decodeRandom(runtime: Runtime, options: DecodeRandomOptions): Promise<DecodedTokens> {
  using decoder = await open(runtime, options);
  await decodeOnce(decoder, [40, 2, 7]);
  return await decodeOnce(decoder, [3, 14, 15, 9, 26, 5]);
}

async function open(runtime: Runtime, { model: random, dataType, cache }: DecodeRandomOptions): Promise<Decoder> {
  const model = modelOf(randomLlama(random));
  if (cache === 'captured') return decoderForModel(runtime, model, { dataType, capture: true });
  const { graph, weights } = decoderGraph(model, { dataType });
  const data = new Uint8Array(weights.byteLength);
  let offset = 0;
  for await (const chunk of weights.chunks(model.checkpoint)) {
    data.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return openDecoder(runtime, graph, { externalData: { [weights.location]: data }, fixedCache: cache === 'fixed' });
}

async function decodeOnce(decoder: Decoder, prompt: readonly number[]): Promise<DecodedTokens> {
  using sequence = decoder.start(24);
  const logits = [await sequence.append(prompt)];
  const tokenIds: number[] = [];
  while (tokenIds.length < 8) {
    const tokenId = greatest(logits.at(-1) as Float32Array);
    tokenIds.push(tokenId);
    logits.push(await sequence.append([tokenId]));
  }
  return { tokenIds, logits: logits.map((row) => [...row]) };
}
