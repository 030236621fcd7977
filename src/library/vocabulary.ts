import { beginningToken } from '../checkpoint/tokenizer/beginning.ts';
import {
  loadTokenizer,
  readTokenizerFiles,
  type Tokenizer,
  type TokenizerFiles,
} from '../checkpoint/tokenizer/tokenizer.ts';
import { chooseTokens, parseVocabularyTarget } from '../checkpoint/tokenizer/trim/choose.ts';
import { namedIds } from '../checkpoint/tokenizer/trim/needed.ts';
import { type TokenParts, tokenParts } from '../checkpoint/tokenizer/trim/parts.ts';
import { EspalierError, throwIfCancelled, UsageError, VerificationError } from '../errors.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import type { LongRunning } from '../progress.ts';
import { trimmedCheckpoint } from '../surgery/vocabulary.ts';
import { OpenModel } from './open-model.ts';

/** Windows whose predictions count towards a token's use. */
const PREDICTED_WINDOWS = 16;
/** Tokens of the check that kept tokens have the logits that they had. */
const CHECKED_TOKENS = 32;
const ALLOWED = 1e-3;

export interface TrimVocabularyOptions extends LongRunning {
  /** '16384', '0.5' or 'seen' (`parseVocabularyTarget`). */
  readonly keep: string;
  /** Windows of the text that the model is meant for, as token ids. */
  readonly windows: readonly ArrayLike<number>[];
}

/** A model with a part of its vocabulary. */
export interface TrimmedVocabulary {
  /** Owned by the caller. */
  readonly model: OpenModel;
  /** Old ids of the kept tokens, ascending. */
  readonly kept: readonly number[];
  /** Tokens of the model. */
  readonly tokensBefore: number;
  /** Tokens that stay. */
  readonly tokensAfter: number;
  /** Tokens per word (per run of characters that are no white space) of the windows' text. */
  readonly tokensPerWordBefore: number;
  /** Of the calibration text, with those that stay. */
  readonly tokensPerWordAfter: number;
  /** Windows of the whole vocabulary as windows of the smaller one, by way of their text. */
  readonly reencode: (windows: readonly ArrayLike<number>[]) => number[][];
}

/** What a smaller vocabulary costs, as plain data. */
export type VocabularyCost = Pick<
  TrimmedVocabulary,
  'tokensBefore' | 'tokensAfter' | 'tokensPerWordBefore' | 'tokensPerWordAfter'
>;

export function vocabularyCost(trimmed: TrimmedVocabulary): VocabularyCost {
  const { tokensBefore, tokensAfter, tokensPerWordBefore, tokensPerWordAfter } = trimmed;
  return { tokensBefore, tokensAfter, tokensPerWordBefore, tokensPerWordAfter };
}

/**
 * A model with a smaller vocabulary: tokens are ranked by their use in the text and by the probability that the model itself gives them there; bytes, special tokens and what
 * merges need stay (docs/method.md section 9). Every text can still be encoded, by other tokens where one is gone. Checked: kept tokens have the logits that they had.
 * Throws UsageError for a size that is too small, UnsupportedError for a tokenizer of another kind.
 */
export async function trimVocabulary(open: OpenModel, options: TrimVocabularyOptions): Promise<TrimmedVocabulary> {
  const { keep, windows, signal, onProgress } = options;
  const target = parseVocabularyTarget(keep);
  const { checkpoint } = open.model;
  if (windows.length === 0)
    throw new UsageError('A smaller vocabulary is chosen by the use of tokens in text. Give --calibration FILE.');
  const files = await readTokenizerFiles(checkpoint);
  const parts = withNecessary(tokenParts(files.tokenizer, checkpoint.provenance.name), await neededTokens(open, files));
  const uses = new Float64Array(open.config.vocabulary);
  for (const window of windows) for (const id of Array.from(window)) uses[id] = (uses[id] ?? 0) + 1;
  if (target.kind !== 'seen')
    await addPredictions(open, await begun(open, windows.slice(0, PREDICTED_WINDOWS)), uses, { signal, onProgress });
  const kept = chooseTokens(parts, uses, target).filter((id) => id < open.config.vocabulary);
  const model = new OpenModel(open.runtime, await trimmedCheckpoint(checkpoint, kept));
  try {
    await checkLogits(open, model, kept);
    const [before, after] = [await open.tokenizer(), await loadTokenizer(model.model.checkpoint)];
    const textOf = (window: ArrayLike<number>) => before.decode(Array.from(window), { skipSpecialTokens: true });
    const texts = windows.map(textOf);
    const words = texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0);
    const count = (lists: readonly ArrayLike<number>[]) => lists.reduce((sum, { length }) => sum + length, 0);
    return {
      model,
      kept,
      tokensBefore: open.config.vocabulary,
      tokensAfter: kept.length,
      tokensPerWordBefore: count(texts.map((text) => before.encode(text))) / words,
      tokensPerWordAfter: count(texts.map((text) => after.encode(text))) / words,
      reencode: (each) => each.map((window) => after.encode(textOf(window))),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Tokens that the model is run with: those that files name, and those that its chat template writes. */
async function neededTokens(open: OpenModel, files: TokenizerFiles): Promise<number[]> {
  const { tokenizer, config, generationConfig } = files;
  const named = [...namedIds(tokenizer, { 'config.json': config, 'generation_config.json': generationConfig }).keys()];
  const own = await open.tokenizer();
  const written = own.chatTemplates.map((template) => templateText(own, template));
  return [...named, ...written.flatMap((text) => own.encode(text, { addSpecialTokens: false }))];
}

/** A short conversation; empty where the template takes none of this form. */
function templateText(tokenizer: Tokenizer, template: string): string {
  try {
    const messages = (['user', 'assistant', 'user'] as const).map((role) => ({ role, content: 'a' }));
    return tokenizer.applyChatTemplate(messages, { template });
  } catch (error) {
    if (error instanceof EspalierError) return '';
    throw error;
  }
}

function withNecessary(parts: TokenParts, needed: readonly number[]): TokenParts {
  const known = new Set(parts.ids.values());
  const necessary = new Set(parts.necessary);
  for (const id of needed.filter((each) => known.has(each)))
    for (const each of [id, ...parts.partsOf(id)]) necessary.add(each);
  return { ...parts, necessary };
}

/** Windows with the token first that the tokenizer begins every text with, where it does: without it some families (Gemma) predict next to nothing. */
async function begun(open: OpenModel, windows: readonly ArrayLike<number>[]): Promise<number[][]> {
  const first = beginningToken(await open.tokenizer());
  return windows.map((window) => {
    const ids = Array.from(window);
    return first === undefined || ids[0] === first ? ids : [first, ...ids.slice(0, ids.length - 1)];
  });
}

/** Adds the probability of every token at every position: how often the model expects it where the text may have another. */
async function addPredictions(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  uses: Float64Array,
  { signal, onProgress }: LongRunning,
): Promise<void> {
  const logitsOf = blockProgramLogits(open.programs, open.store);
  for (const [index, window] of windows.entries()) {
    throwIfCancelled(signal);
    const logits = await logitsOf(Array.from(window));
    const { length } = uses;
    for (let start = 0; start < logits.length; start += length) {
      const row = logits.subarray(start, start + length);
      let largest = Number.NEGATIVE_INFINITY;
      for (const value of row) largest = Math.max(largest, value);
      let sum = 0;
      for (const value of row) sum += Math.exp(value - largest);
      for (let id = 0; id < length; id++)
        uses[id] = (uses[id] as number) + Math.exp((row[id] as number) - largest) / sum;
    }
    onProgress?.({ stage: 'vocabulary', completed: index + 1, total: windows.length, unit: 'windows' });
  }
}

/** Throws VerificationError where the smaller model gives a kept token another logit than the whole one does for the same input. */
async function checkLogits(whole: OpenModel, trimmed: OpenModel, kept: readonly number[]): Promise<void> {
  const count = Math.min(CHECKED_TOKENS, whole.config.maximumPositions, kept.length);
  const places = Array.from({ length: count }, (_, i) => Math.floor((i * kept.length) / count));
  const expected = await blockProgramLogits(whole.programs, whole.store)(places.map((place) => kept[place] as number));
  const found = await blockProgramLogits(trimmed.programs, trimmed.store)(places);
  let largest = 0;
  for (let position = 0; position < count; position++)
    for (const [index, id] of kept.entries()) {
      const before = expected[position * whole.config.vocabulary + id] as number;
      const after = found[position * kept.length + index] as number;
      largest = Math.max(largest, Math.abs(before - after) / Math.max(1, Math.abs(before)));
    }
  if (!(largest <= ALLOWED))
    throw new VerificationError(
      `With the smaller vocabulary a logit differs by ${largest.toPrecision(3)} from the whole model's. Nothing was kept. Please report this model.`,
    );
}
