import { decoderGraph } from '../../src/decoder/decoder-graph.ts';
import type { ExportDataType } from '../../src/decoder/dtypes.ts';
import type { Estimate } from '../../src/evaluate/speed/paired-ratio.ts';
import { compareSpeeds } from '../../src/evaluate/speed/speed.ts';
import { timedDecoder, timingPrompt } from '../../src/evaluate/speed/timed-decoder.ts';
import type { Decoder } from '../../src/generate/decoder.ts';
import { decoderForModel } from '../../src/generate/model-decoder.ts';
import type { OpenModel } from '../../src/library/open-model.ts';
import { firstGroups } from '../decode-models.ts';
import type { DispatchCounter } from './dispatch-counter.ts';

/** How decoding is measured. */
export interface DecodingRequest {
  readonly promptTokens: number;
  readonly newTokens: number;
  /** Longest time of one comparison of two models. */
  readonly seconds: number;
}

/** One model in one number format. Speeds are tokens per second. */
export interface GpuDecoding {
  readonly format: ExportDataType;
  /** Of every layer's groups, removed. */
  readonly share: number;
  /** Of graph and weights, which a token reads once. */
  readonly bytes: number;
  readonly prefill: Estimate;
  readonly decode: Estimate;
  /** Speeds over those of the dense model, which was measured in turn with it; undefined for the dense model. */
  readonly over: { readonly prefill: Estimate; readonly decode: Estimate } | undefined;
  /** Of a token, by the name of the operator's program. */
  readonly dispatches: Readonly<Record<string, number>>;
}

/** Shares of every layer's groups that are removed: for speed only sizes matter. */
const SHARES = [0.2, 0.5] as const;

/** Decoding in one number format, the dense model in turn with narrower ones. */
export async function measureDecoding(
  open: OpenModel,
  format: ExportDataType,
  { promptTokens, newTokens, seconds }: DecodingRequest,
  counter: DispatchCounter,
): Promise<GpuDecoding[]> {
  const prompt = timingPrompt(promptTokens, open.config.vocabulary);
  const load = async (share: number) => {
    using pruned = open.pruned(firstGroups(open, share));
    const decoder = await decoderForModel(open.runtime, pruned.model, { dataType: format });
    return { decoder, bytes: decoderGraph(pruned.model, { dataType: format }).weights.byteLength };
  };
  const dense = await load(0);
  using whole = dense.decoder;
  const results: GpuDecoding[] = [];
  for (const share of SHARES) {
    const narrow = await load(share);
    using decoder = narrow.decoder;
    const found = await compareSpeeds(
      { dense: timedDecoder(whole, dense.bytes), pruned: timedDecoder(decoder, narrow.bytes) },
      prompt,
      { promptTokens, newTokens, seconds },
    );
    const common = { format, dispatches: await dispatchesOf(counter, decoder, prompt) };
    if (results.length === 0)
      results.push({
        ...common,
        share: 0,
        ...found.dense,
        over: undefined,
        dispatches: await dispatchesOf(counter, whole, prompt),
      });
    results.push({ ...common, share, ...found.pruned, over: { prefill: found.prefill, decode: found.decode } });
  }
  return results;
}

/** What the second of two tokens after the prompt dispatches. */
async function dispatchesOf(
  counter: DispatchCounter,
  decoder: Decoder,
  prompt: readonly number[],
): Promise<Record<string, number>> {
  using sequence = decoder.start(prompt.length + 2);
  const [first = 0, second = 0] = prompt;
  await sequence.append(prompt);
  await sequence.append([first]);
  counter.take();
  await sequence.append([second]);
  return counter.take();
}
