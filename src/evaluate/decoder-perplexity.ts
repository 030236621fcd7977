import { DeviceError, throwIfCancelled } from '../errors.ts';
import type { Decoder } from '../generate/decoder.ts';
import { type PerplexityOptions, type PerplexityResult, summarise } from './perplexity.ts';
import { checkWindows } from './token-windows.ts';

/** Perplexity of a decoder (an exported model) over windows of token ids, defined as for block programs: `perplexity`. */
export async function decoderPerplexity(
  decoder: Decoder,
  vocabulary: number,
  windows: readonly ArrayLike<number>[],
  options: PerplexityOptions = {},
): Promise<PerplexityResult> {
  const tokens = checkWindows(windows, vocabulary);
  const losses: number[] = [];
  const tally = options.against?.tally();
  for (const window of windows) {
    throwIfCancelled(options.signal);
    const ids = Array.from(window);
    using sequence = decoder.start(tokens);
    const logits = await sequence.appendForAllLogits(ids);
    const width = logits.length / tokens;
    let sum = 0;
    for (let position = 0; position + 1 < tokens; position++)
      sum += crossEntropy(logits.subarray(position * width, (position + 1) * width), ids[position + 1] as number);
    await tally?.add(losses.length, 0, logits);
    losses.push(sum / (tokens - 1));
    options.onProgress?.({ stage: 'perplexity', completed: losses.length, total: windows.length, unit: 'windows' });
  }
  return { ...summarise(losses, tokens), ...tally?.result() };
}

/** -log softmax(logits)[target] in nats, in float64. Throws DeviceError for logits that are no finite numbers. */
export function crossEntropy(logits: Float32Array, target: number): number {
  let maximum = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > maximum) maximum = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - maximum);
  const loss = maximum + Math.log(sum) - (logits[target] ?? Number.NaN);
  if (Number.isFinite(loss)) return loss;
  throw new DeviceError(
    `The exported model gives the logit ${logits.find((logit) => !Number.isFinite(logit)) ?? logits[target]}, which is no finite number. Of an export in f16, half precision overflowed: export the model in f32. Else its weights are damaged: take them again.`,
  );
}
