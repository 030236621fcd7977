import { UsageError } from '../errors.ts';
import type { Decoder } from '../generate/decoder.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { ownText } from './own-text.ts';

/** What a model is to write. */
export interface SampleOptions extends LongRunning {
  /** Texts. Default 192. */
  readonly windows?: number;
  /** Tokens of each. Default 128. */
  readonly length?: number;
  /** Of everything drawn. Default 0. */
  readonly seed?: number;
  /** What texts begin with, taken in turn. Default: a token drawn from the vocabulary, as in data-free quantisation (LLM-QAT, arXiv 2305.17888). */
  readonly openings?: readonly string[];
}

/** A text that a model wrote. */
export interface SampledText {
  /** Its opening among them. */
  readonly tokenIds: readonly number[];
  /** Without special tokens. */
  readonly text: string;
}

/**
 * Texts that a model writes itself, sampled from its own distribution (temperature 1): what to calibrate or verify on where there is no text. The same for the same seed.
 * Throws UsageError for a length that the model cannot hold or an opening that leaves nothing to write, CancelledError when the signal fires.
 */
export async function sample(model: OpenModel, options: SampleOptions = {}): Promise<readonly SampledText[]> {
  checkLength(model, options);
  using decoder = await decoderForModel(model.runtime, model.model, options);
  return await sampleOn(decoder, model, options);
}

/** The same on a decoder of the model that is open already. */
export async function sampleOn(
  decoder: Decoder,
  model: OpenModel,
  options: SampleOptions,
): Promise<readonly SampledText[]> {
  const { windows = 192, length = LENGTH, seed = 0, openings = [], signal, onProgress } = options;
  checkLength(model, options);
  const tokenizer = await model.tokenizer();
  const begun = openings.map((text) => [...tokenizer.encode(text, { addSpecialTokens: false })]);
  for (const [index, ids] of begun.entries())
    if (ids.length === 0 || ids.length >= length)
      throw new UsageError(
        `The opening ${JSON.stringify(openings[index])} has ${ids.length} tokens of a text of ${length}. Give one of at least 1 and fewer than ${length}.`,
      );
  const { vocabulary } = model;
  const written = await ownText(decoder, {
    count: windows,
    ...{ length, seed, vocabulary, openings: begun, signal, onProgress },
  });
  return written.map((tokenIds) => ({ tokenIds, text: tokenizer.decode([...tokenIds], { skipSpecialTokens: true }) }));
}

const LENGTH = 128;

function checkLength({ maximumPositions }: OpenModel, { length = LENGTH }: SampleOptions): void {
  if (length > maximumPositions)
    throw new UsageError(
      `Texts of ${length} tokens were asked for, and the model holds ${maximumPositions}; ask for fewer.`,
    );
}
