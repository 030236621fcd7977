import { EspalierError, UsageError } from '../errors.ts';
import { decoderPerplexity } from '../evaluate/decoder-perplexity.ts';
import { DenseReference } from '../evaluate/divergence/dense-reference.ts';
import { type PerplexityResult, perplexity } from '../evaluate/perplexity.ts';
import { bitsPerByte, predictedBytes } from '../evaluate/predicted-bytes.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import type { LongRunning } from '../progress.ts';
import type { ExportedModel } from './exported-model.ts';
import { OpenModel } from './open-model.ts';

/** What is measured on. */
export interface EvaluateOptions extends LongRunning {
  /** Text to predict, or windows of token ids. */
  readonly text?: string;
  /** Token ids, taken as they are. */
  readonly windows?: readonly ArrayLike<number>[];
  /** Tokens per window of `text`; default 128. */
  readonly window?: number;
  /** Use the first so many tokens of `text`. */
  readonly maxTokens?: number;
  /** The dense model, or what was kept of it on the same windows: the divergence from it is measured too. It must have the same vocabulary. */
  readonly against?: OpenModel | DenseReference | undefined;
}

/**
 * Perplexity (docs/method.md section 8) of a model by the block programs, or of an exported decoder itself. Throws UsageError when there is neither text nor
 * windows, or too little of them.
 */
export async function evaluate(
  model: OpenModel | ExportedModel,
  { text, windows: given, window = 128, maxTokens, against: dense, signal, onProgress }: EvaluateOptions,
): Promise<PerplexityResult> {
  const windows = given ?? (await textWindows(model, { text, window, maxTokens }));
  const running = { signal, onProgress };
  const against =
    dense instanceof OpenModel ? await DenseReference.of(dense.programs, dense.store, windows, running) : dense;
  const result = await (model instanceof OpenModel
    ? perplexity(model.programs, model.store, windows, { against, ...running })
    : decoderPerplexity(model.decoder, model.vocabulary, windows, { against, ...running }));
  const bytes = await bytesOf(model, windows);
  return bytes > 0 ? { ...result, bitsPerByte: bitsPerByte(result, bytes) } : result;
}

/** Bytes that the predictions stand for; 0 where the model has no tokenizer that tells. */
async function bytesOf(
  model: Pick<OpenModel | ExportedModel, 'tokenizer'>,
  windows: readonly ArrayLike<number>[],
): Promise<number> {
  try {
    return predictedBytes(await model.tokenizer(), windows);
  } catch (error) {
    if (error instanceof EspalierError) return 0;
    throw error;
  }
}

/** A text's first tokens in windows, in order. */
async function textWindows(
  model: Pick<OpenModel | ExportedModel, 'tokenizer'>,
  {
    text,
    window,
    maxTokens,
  }: { readonly text: string | undefined; readonly window: number; readonly maxTokens?: number | undefined },
): Promise<Int32Array[]> {
  if (text === undefined) throw new UsageError('Nothing to evaluate on: give text or windows.');
  const ids = (await model.tokenizer()).encode(text, { addSpecialTokens: false });
  return tokenWindows(maxTokens === undefined ? ids : ids.slice(0, maxTokens), { length: window });
}
