import { countParameters } from '../architecture/model.ts';
import { UsageError } from '../errors.ts';
import type { Estimate } from '../evaluate/speed/paired-ratio.ts';
import { compareSpeeds, type SpeedRequest } from '../evaluate/speed/speed.ts';
import { timedDecoder, timingPrompt } from '../evaluate/speed/timed-decoder.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import type { LongRunning } from '../progress.ts';
import { evaluate } from './evaluate.ts';
import type { OpenModel } from './open-model.ts';
import { trimVocabulary } from './vocabulary.ts';

export interface VocabularyCostOptions extends LongRunning {
  /** '16384', '0.5' or 'seen'. */
  readonly keep: string;
  /** Text that tokens are chosen by, as windows of token ids. */
  readonly windows: readonly ArrayLike<number>[];
  /** Other text to measure on: its first `measureWindows` windows of `length` tokens of the whole vocabulary. */
  readonly text: string;
  readonly measureWindows: number;
  readonly length: number;
  /** Absent: speed is not measured. */
  readonly speed?: SpeedRequest | undefined;
}

/** A model with its whole vocabulary, and with a smaller one, on the same text. */
export interface MeasuredVocabulary {
  readonly before: VocabularyFigures;
  readonly after: VocabularyFigures;
  /** Decoding speed of the smaller one over the whole one, token by token in turn, where it was measured. */
  readonly decode: Estimate | undefined;
}

export interface VocabularyFigures {
  readonly tokens: number;
  readonly tokensPerWord: number;
  readonly bitsPerByte: number;
  /** Of the whole model. */
  readonly parameters: number;
}

/** What a smaller vocabulary costs and saves. Throws what `trimVocabulary` throws, and UsageError for a text without words. */
export async function measureVocabulary(
  open: OpenModel,
  { keep, windows, text, measureWindows, length, speed, signal, onProgress }: VocabularyCostOptions,
): Promise<MeasuredVocabulary> {
  const trimmed = await trimVocabulary(open, { keep, windows, signal, onProgress });
  using smaller = trimmed.model;
  const tokenizer = await open.tokenizer();
  const ids = tokenizer.encode(text, { addSpecialTokens: false }).slice(0, measureWindows * length);
  const passage = tokenizer.decode(ids);
  const words = passage.match(/\S+/g)?.length ?? 0;
  if (words === 0) throw new UsageError('The text to measure a vocabulary on has no words. Choose another text.');
  const figures = async (model: OpenModel): Promise<VocabularyFigures> => {
    const encoded = (await model.tokenizer()).encode(passage, { addSpecialTokens: false });
    const { bitsPerByte = Number.NaN } = await evaluate(model, {
      windows: tokenWindows(encoded, { length }),
      signal,
      onProgress,
    });
    return {
      tokens: model.config.vocabulary,
      tokensPerWord: encoded.length / words,
      bitsPerByte,
      parameters: countParameters(model.model).parameters,
    };
  };
  return {
    before: await figures(open),
    after: await figures(smaller),
    decode: speed && (await decodeRatio(open, smaller, speed, { signal, onProgress })),
  };
}

async function decodeRatio(
  open: OpenModel,
  smaller: OpenModel,
  speed: SpeedRequest,
  running: LongRunning,
): Promise<Estimate> {
  using whole = await decoderForModel(open.runtime, open.model, running);
  using less = await decoderForModel(smaller.runtime, smaller.model, running);
  const prompt = timingPrompt(speed.promptTokens, smaller.config.vocabulary);
  const models = { dense: timedDecoder(whole, 0), pruned: timedDecoder(less, 0) };
  return (await compareSpeeds(models, prompt, speed, running)).decode;
}
