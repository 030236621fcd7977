import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import type { JsonRecord } from '../../files/json.ts';
import { DEFAULT_TEMPLATE, templateList } from '../../tokenizer/named-templates.ts';
import { PRE_TOKENIZERS } from '../../tokenizer/pre-tokenizers.ts';
import { sentencePieceDecoder } from '../../tokenizer/sentencepiece/decoder.ts';
import { sentencePieceMerges } from '../../tokenizer/sentencepiece/merges.ts';
import { type SpecialToken, specialTemplate } from '../../tokenizer/special-template.ts';
import { quote } from '../../weights.ts';
import type { GgufMetadata } from './gguf-metadata.ts';
import { specialId } from './special-ids.ts';

/** llama.cpp's token types. */
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const UNUSED = 5;

/** Control tokens that end a turn or a text, beside the one that the file names. */
const ENDS = new Set([
  '<|eot_id|>',
  '<|im_end|>',
  '<|end|>',
  '<end_of_turn>',
  '<|endoftext|>',
  '<|end_of_text|>',
  '<|eom_id|>',
  '</s>',
  '<EOT>',
  '<|END_OF_TURN_TOKEN|>',
]);

/** The tokenizer's files in the Hugging Face layout. */
export interface GgufTokenizer {
  readonly tokenizer: JsonRecord;
  readonly tokenizerConfig: JsonRecord;
  readonly generationConfig: JsonRecord;
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: readonly number[];
  readonly scores: readonly number[];
}

/**
 * tokenizer.json and its companions from a GGUF file's vocabulary: byte-level byte pairs (`gpt2`) or SentencePiece (`llama`).
 * Throws UnsupportedError for other kinds, FileFormatError for a vocabulary that contradicts itself.
 */
export function ggufTokenizer(metadata: GgufMetadata): GgufTokenizer {
  const kind = metadata.string('tokenizer.ggml.model') ?? 'none';
  if (kind !== 'gpt2' && kind !== 'llama') {
    throw new UnsupportedError(
      `${metadata.file} has the tokenizer kind ${quote(kind)}; gpt2 and llama are supported. Put the model's tokenizer.json beside it.`,
    );
  }
  const vocabulary = readVocabulary(metadata);
  const { tokens, types } = vocabulary;
  const special = (name: string) => specialToken(metadata, name, tokens);
  const bos = special('bos');
  const eos = special('eos');
  const pre = kind === 'gpt2' ? preTokenizer(metadata) : undefined;
  const addBos = metadata.boolean('tokenizer.ggml.add_bos_token') ?? (pre?.addBos || kind === 'llama');
  const addEos = metadata.boolean('tokenizer.ggml.add_eos_token') ?? false;
  const unknown = special('unknown')?.content ?? tokens[types.indexOf(UNKNOWN)];
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, id) => addedToken(content, id, types[id])),
    ...(pre ? bytePairs(metadata, vocabulary, pre) : sentencePiece(metadata, vocabulary, unknown)),
    post_processor: specialTemplate(addBos ? bos : undefined, addEos ? eos : undefined),
  };
  return {
    tokenizer,
    ...settings(metadata, { bos, eos, unknown, padding: special('padding')?.content, addBos, addEos }, tokens, types),
  };
}

function readVocabulary(metadata: GgufMetadata): Vocabulary {
  const tokens = metadata.strings('tokenizer.ggml.tokens') ?? [];
  const scores = metadata.numbers('tokenizer.ggml.scores') ?? [];
  const types = metadata.numbers('tokenizer.ggml.token_type') ?? new Array<number>(tokens.length).fill(1);
  if (tokens.length === 0)
    throw new FileFormatError(
      `${metadata.file} has no vocabulary ("tokenizer.ggml.tokens"). Put the model's tokenizer.json beside it.`,
    );
  if (types.length !== tokens.length || (scores.length !== 0 && scores.length !== tokens.length)) {
    throw new FileFormatError(
      `${metadata.file} has ${tokens.length} tokens, ${types.length} token types and ${scores.length} scores; the numbers must agree. Put the model's tokenizer.json beside it.`,
    );
  }
  return { tokens, types, scores };
}

function specialToken(metadata: GgufMetadata, name: string, tokens: readonly string[]): SpecialToken | undefined {
  const id = specialId(metadata, name);
  const content = id === undefined ? undefined : tokens[id];
  return id === undefined || content === undefined ? undefined : { id, content };
}

/** Control tokens are taken out of a text before anything else, and so are user-defined ones; only the former count as special. */
function addedToken(content: string, id: number, type: number | undefined): JsonRecord[] {
  if (content === '' || (type !== CONTROL && type !== USER_DEFINED && type !== UNKNOWN)) return [];
  return [
    {
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: type !== USER_DEFINED,
    },
  ];
}

function preTokenizer(metadata: GgufMetadata) {
  const name = metadata.string('tokenizer.ggml.pre') ?? 'default';
  const pre = PRE_TOKENIZERS.get(name);
  if (pre) return pre;
  const known = [...PRE_TOKENIZERS.keys()].join(', ');
  throw new UnsupportedError(
    `${metadata.file} has the pre-tokenizer ${quote(name)}; known are ${known}. Put the model's tokenizer.json beside it.`,
  );
}

function bytePairs(
  metadata: GgufMetadata,
  { tokens, types }: Vocabulary,
  pre: ReturnType<typeof preTokenizer>,
): JsonRecord {
  const merges = metadata.strings('tokenizer.ggml.merges');
  if (!merges)
    throw new FileFormatError(
      `${metadata.file} has no "tokenizer.ggml.merges". Put the model's tokenizer.json beside it.`,
    );
  return {
    normalizer: pre.normalizer,
    pre_tokenizer: pre.preTokenizer,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: pre.ignoreMerges,
      vocab: vocabularyObject(tokens, types),
      merges,
    },
  };
}

function sentencePiece(
  metadata: GgufMetadata,
  { tokens, types, scores }: Vocabulary,
  unknown: string | undefined,
): JsonRecord {
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' };
  const addSpace = metadata.boolean('tokenizer.ggml.add_space_prefix') ?? true;
  const vocab = vocabularyObject(tokens, types);
  return {
    normalizer: addSpace ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace] } : replace,
    pre_tokenizer: null,
    decoder: sentencePieceDecoder(addSpace ? 1 : 0),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab,
      merges: sentencePieceMerges(
        tokens,
        scores,
        (id) => types[id] !== CONTROL && types[id] !== UNKNOWN && types[id] !== UNUSED,
      ),
    },
  };
}

function vocabularyObject(tokens: readonly string[], types: readonly number[]): Record<string, number> {
  // Without a prototype, so that a token named __proto__ is one entry like any other.
  const vocab = Object.create(null) as Record<string, number>;
  for (const [id, token] of tokens.entries())
    if (types[id] !== UNUSED && !Object.hasOwn(vocab, token)) vocab[token] = id;
  return vocab;
}

interface Settings {
  readonly bos: SpecialToken | undefined;
  readonly eos: SpecialToken | undefined;
  readonly unknown: string | undefined;
  readonly padding: string | undefined;
  readonly addBos: boolean;
  readonly addEos: boolean;
}

function settings(
  metadata: GgufMetadata,
  { bos, eos, unknown, padding, addBos, addEos }: Settings,
  tokens: readonly string[],
  types: readonly number[],
) {
  const ends = new Set(eos ? [eos.id] : []);
  for (const key of ['eot', 'eom']) {
    const id = metadata.number(`tokenizer.ggml.${key}_token_id`);
    if (id !== undefined && id < tokens.length) ends.add(id);
  }
  for (const [id, token] of tokens.entries()) if (types[id] === CONTROL && ENDS.has(token)) ends.add(id);
  const present = (entries: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined));
  return {
    tokenizerConfig: present({
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: bos?.content,
      eos_token: eos?.content,
      unk_token: unknown,
      pad_token: padding,
      add_bos_token: addBos,
      add_eos_token: addEos,
      clean_up_tokenization_spaces: false,
      chat_template: chatTemplates(metadata),
    }),
    generationConfig: present({ bos_token_id: bos?.id, eos_token_id: [...ends].sort((a, b) => a - b) }),
  };
}

/** The template of the file, or its templates by name. */
function chatTemplates(metadata: GgufMetadata): unknown {
  const usual = metadata.string('tokenizer.chat_template');
  const templates = new Map(usual === undefined ? [] : [[DEFAULT_TEMPLATE, usual]]);
  for (const name of metadata.strings('tokenizer.chat_templates') ?? []) {
    const template = metadata.string(`tokenizer.chat_template.${name}`);
    if (template !== undefined) templates.set(name, template);
  }
  return templates.size === 0 ? undefined : templateList(templates);
}
