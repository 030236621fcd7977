import type { JsonRecord } from '../files/json.ts';

/** How a byte-level tokenizer cuts a text into words, as tokenizer.json writes it. */
export interface PreTokenizer {
  readonly normalizer: JsonRecord | null;
  readonly preTokenizer: JsonRecord;
  /** Whether a word that is a token by itself is taken without merging. */
  readonly ignoreMerges: boolean;
  /** Whether a text begins with the BOS token where the file does not say. */
  readonly addBos: boolean;
}

const CASELESS_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const LLAMA3 = `${CASELESS_CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const QWEN2 = `${CASELESS_CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const cased = (suffix: string) =>
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+${suffix}|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*${suffix}`;
const TEKKEN = `${cased('')}|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`;
const GPT4O = `${cased(`${CASELESS_CONTRACTIONS}?`)}|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`;

const byteLevel = (useRegex: boolean): JsonRecord => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const sequence = (...pretokenizers: JsonRecord[]): JsonRecord => ({ type: 'Sequence', pretokenizers });
const split = (pattern: string): JsonRecord => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
});

const GPT2_STYLE: PreTokenizer = {
  normalizer: null,
  preTokenizer: byteLevel(true),
  ignoreMerges: false,
  addBos: false,
};
const DIGITS_STYLE: PreTokenizer = {
  ...GPT2_STYLE,
  preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
};
const LLAMA3_STYLE: PreTokenizer = {
  normalizer: null,
  preTokenizer: sequence(split(LLAMA3), byteLevel(false)),
  ignoreMerges: true,
  addBos: true,
};
const QWEN2_STYLE: PreTokenizer = {
  normalizer: { type: 'NFC' },
  preTokenizer: sequence(split(QWEN2), byteLevel(false)),
  ignoreMerges: false,
  addBos: false,
};
const TEKKEN_STYLE: PreTokenizer = {
  normalizer: null,
  preTokenizer: sequence(split(TEKKEN), byteLevel(false)),
  ignoreMerges: true,
  addBos: true,
};
const GPT4O_STYLE: PreTokenizer = {
  normalizer: null,
  preTokenizer: sequence(split(GPT4O), byteLevel(false)),
  ignoreMerges: false,
  addBos: false,
};

/** By the name in `tokenizer.ggml.pre`; the names are llama.cpp's, the rules those of the models' own tokenizer.json. Old files say `default`. */
export const PRE_TOKENIZERS: ReadonlyMap<string, PreTokenizer> = new Map([
  ['default', GPT2_STYLE],
  ['gpt-2', GPT2_STYLE],
  ['phi-2', GPT2_STYLE],
  ['mpt', GPT2_STYLE],
  ['olmo', GPT2_STYLE],
  ['smollm', DIGITS_STYLE],
  ['starcoder', DIGITS_STYLE],
  ['refact', DIGITS_STYLE],
  ['codeshell', DIGITS_STYLE],
  ['llama-bpe', LLAMA3_STYLE],
  ['llama-v3', LLAMA3_STYLE],
  ['llama3', LLAMA3_STYLE],
  ['qwen2', QWEN2_STYLE],
  ['deepseek-r1-qwen', { ...QWEN2_STYLE, normalizer: null }],
  ['tekken', TEKKEN_STYLE],
  ['gpt-4o', GPT4O_STYLE],
]);
