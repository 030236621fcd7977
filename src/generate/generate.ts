import { tokenStream } from '../checkpoint/tokenizer/token-stream.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { throwIfCancelled, UsageError } from '../errors.ts';
import { seededRandom } from '../random.ts';
import type { Decoder } from './decoder.ts';
import { type RecoveringOptions, RecoveringSequence } from './recovering-sequence.ts';
import { createSampler, type SamplingOptions } from './sampling.ts';

/** How many tokens are chosen, and how. */
export interface DecodingOptions extends SamplingOptions {
  /** Default 64. */
  readonly maxNewTokens?: number | undefined;
  /** Seed of the sampling; default 0. */
  readonly seed?: number | undefined;
  /** Ids that end the text; default: the tokenizer's. */
  readonly eosTokenIds?: readonly number[] | undefined;
  /** Longest sequence that the decoder holds, prompt included. */
  readonly maximumPositions?: number | undefined;
  /** Ends the generation between tokens. */
  readonly signal?: AbortSignal | undefined;
}

/** The same with what happens when the device fails. */
export interface GenerateOptions extends DecodingOptions, Pick<RecoveringOptions, 'reopen' | 'onRecovered'> {}

/** A token as it comes. */
export interface GeneratedToken {
  /** Its id. */
  readonly tokenId: number;
  /** Text that this token completes; '' while a character is unfinished. */
  readonly text: string;
  /** Probability that the model gave it, before temperature and cuts. */
  readonly probability: number;
}

/** A text that was generated, with its timing. */
export interface Generation {
  /** What was generated, without the prompt and without special tokens. */
  readonly text: string;
  /** Generated ids, without the prompt and without the one that ended it. */
  readonly tokenIds: readonly number[];
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Why it ended. */
  readonly finish: 'end-of-text' | 'length';
  /** Seconds from the start to the first token. */
  readonly timeToFirstToken: number;
  /** Prompt tokens per second of the run that processes the prompt. */
  readonly prefillTokensPerSecond: number;
  /** Tokens per second after the first; 0 when fewer than two were generated. */
  readonly decodeTokensPerSecond: number;
}

/** Enough of the prompt for the decoder of the first token's text to know what stands before it. */
const CONTEXT_TOKENS = 8;

/**
 * Continues a prompt of token ids: yields tokens as they come and returns the whole with its timing. The same seed gives the same tokens.
 * A lost or full device is recovered from where `reopen` is given. Throws UsageError for options outside their domain or a prompt that does not fit, CancelledError between tokens when the signal fires.
 */
export async function* generateTokens(
  decoder: Decoder,
  tokenizer: Tokenizer,
  promptIds: readonly number[],
  options: GenerateOptions = {},
): AsyncGenerator<GeneratedToken, Generation, undefined> {
  const { maxNewTokens = 64, seed = 0, signal, maximumPositions = Number.POSITIVE_INFINITY } = options;
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new UsageError(`maxNewTokens is ${maxNewTokens}; it must be a whole number from 1.`);
  if (promptIds.length === 0) throw new UsageError('The prompt has no tokens; give at least one.');
  if (promptIds.length >= maximumPositions)
    throw new UsageError(
      `The prompt has ${promptIds.length} tokens, but the model holds ${maximumPositions} with what it generates. Shorten the prompt.`,
    );
  const limit = Math.min(maxNewTokens, maximumPositions - promptIds.length);
  const ends = new Set(options.eosTokenIds ?? tokenizer.eosTokenIds);
  const sampler = createSampler(options, seededRandom(seed));
  const stream = tokenStream(tokenizer, { skipSpecialTokens: true });
  for (const id of promptIds.slice(-CONTEXT_TOKENS)) stream.push(id);

  throwIfCancelled(signal);
  const { reopen, onRecovered } = options;
  using sequence = new RecoveringSequence(decoder, { capacity: promptIds.length + limit, reopen, onRecovered });
  const history = [...promptIds];
  const tokenIds: number[] = [];
  let text = '';
  const started = performance.now();
  let choice = await sequence.choose(promptIds, sampler, history, () => throwIfCancelled(signal));
  const prefilled = performance.now();
  let firstToken = 0;
  let finish: Generation['finish'] = 'length';
  for (;;) {
    throwIfCancelled(signal);
    const { tokenId, probability } = choice;
    if (firstToken === 0) firstToken = performance.now();
    if (ends.has(tokenId)) {
      finish = 'end-of-text';
      break;
    }
    tokenIds.push(tokenId);
    history.push(tokenId);
    const isLast = tokenIds.length === limit;
    const piece = stream.push(tokenId) + (isLast ? stream.flush() : '');
    text += piece;
    yield { tokenId, text: piece, probability };
    if (isLast) break;
    choice = await sequence.choose([tokenId], sampler, history);
  }
  const ended = performance.now();
  if (finish === 'end-of-text') text += stream.flush();
  return {
    text,
    tokenIds,
    promptTokens: promptIds.length,
    finish,
    timeToFirstToken: (firstToken - started) / 1000,
    prefillTokensPerSecond: (1000 * promptIds.length) / (prefilled - started),
    decodeTokensPerSecond: tokenIds.length < 2 ? 0 : (1000 * (tokenIds.length - 1)) / (ended - firstToken),
  };
}

/** Runs a generation to its end, telling tokens through a callback. Throws like `generateTokens`. */
export async function generate(
  decoder: Decoder,
  tokenizer: Tokenizer,
  promptIds: readonly number[],
  options: GenerateOptions & { readonly onToken?: ((token: GeneratedToken) => void) | undefined } = {},
): Promise<Generation> {
  const tokens = generateTokens(decoder, tokenizer, promptIds, options);
  for (;;) {
    const step = await tokens.next();
    if (step.done) return step.value;
    options.onToken?.(step.value);
  }
}
