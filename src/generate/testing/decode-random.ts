import { modelOf } from '../../architecture/model.ts';
import { Programs } from '../../architecture/programs.ts';
import { WeightStore } from '../../architecture/weight-store.ts';
import { decoderGraph } from '../../decoder/decoder-graph.ts';
import type { ExportDataType } from '../../decoder/dtypes.ts';
import { blockProgramLogits } from '../../export/block-logits.ts';
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

/** The largest difference of a logit between a decoder and the block programs on the same runtime, over a prompt read in one run and tokens decoded one by one. */
export async function differenceToBlocks(
  runtime: Runtime,
  options: DecodeRandomOptions,
  promptTokens: number,
): Promise<number> {
  const tokenIds = Array.from(
    { length: promptTokens + 4 },
    (_, index) => (index * 37 + 11) % (options.model.vocabulary ?? 64),
  );
  const model = modelOf(randomLlama(options.model));
  using programs = new Programs(runtime, model.architecture);
  using store = new WeightStore(runtime, model);
  const expected = await blockProgramLogits(programs, store)(tokenIds);
  const vocabulary = expected.length / tokenIds.length;
  using decoder = await open(runtime, options);
  using sequence = decoder.start(tokenIds.length);
  const found = new Float32Array(expected.length);
  found.set(await sequence.appendForAllLogits(tokenIds.slice(0, promptTokens)));
  for (let place = promptTokens; place < tokenIds.length; place++)
    found.set(await sequence.append(tokenIds.slice(place, place + 1)), place * vocabulary);
  return found.reduce((largest, value, index) => Math.max(largest, Math.abs(value - (expected[index] as number))), 0);
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
