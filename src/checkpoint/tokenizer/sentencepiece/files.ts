import { base64Encode } from '@bufbuild/protobuf/wire';
import { isRecord, type JsonRecord } from '../../files/json.ts';
import { specialTemplate } from '../special-template.ts';
import { sentencePieceDecoder } from './decoder.ts';
import { sentencePieceMerges } from './merges.ts';
import { PIECE, type Piece, readSentencePieceModel, type SentencePieceModel } from './model-file.ts';

/** Below every score of a piece that may be taken. */
const NEVER = -1e4;

/** Spaces at the beginning of a text, which SentencePiece leaves out of what it reads and writes. */
const MOST_SPACES = 1024;

/** What a tokenizer.model stands for in the Hugging Face layout. */
export interface SentencePieceFiles {
  readonly tokenizer: JsonRecord;
  /** The special tokens of the file; what the model's own tokenizer_config.json says goes before it. */
  readonly tokenizerConfig: JsonRecord;
}

/**
 * tokenizer.json and tokenizer_config.json of a model that has a tokenizer.model only. Ids are those of SentencePiece itself, but where a text spells the name of a byte (`<0x41>`) that a Unigram model has; tokens that SentencePiece never writes (control tokens) are found in texts, as everywhere
 * else. A text begins with the BOS token where `config` says so (`add_bos_token`) or, where it is silent, in BPE models that have one, as LLaMA's.
 * Throws what `readSentencePieceModel` throws.
 */
export function sentencePieceFiles(bytes: Uint8Array, config: JsonRecord): SentencePieceFiles {
  const model = readSentencePieceModel(bytes, 'tokenizer.model');
  const textOf = (id: number) => model.pieces[id]?.text;
  const [beginning, end] = [textOf(model.beginning), textOf(model.end)];
  const addsBeginning = beginning !== undefined && (config.add_bos_token ?? model.kind === 'BPE') === true;
  const addsEnd = end !== undefined && config.add_eos_token === true;
  // Behind a special token transformers' newer classes put no space, the older ones and llama.cpp do.
  const isLegacy = config.legacy !== false;
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [...addedTokens(model, config).values()],
    normalizer: normalizer(model, isLegacy),
    pre_tokenizer: isLegacy
      ? null
      : { type: 'Metaspace', replacement: '▁', prepend_scheme: model.addsPrefix ? 'first' : 'never', split: false },
    decoder: sentencePieceDecoder(model.removesExtraSpaces ? MOST_SPACES : model.addsPrefix ? 1 : 0),
    post_processor: specialTemplate(
      addsBeginning ? { id: model.beginning, content: beginning } : undefined,
      addsEnd ? { id: model.end, content: end } : undefined,
    ),
    model: model.kind === 'BPE' ? bytePairs(model) : unigram(model),
  };
  return {
    tokenizer,
    tokenizerConfig: Object.fromEntries(
      Object.entries({
        tokenizer_class: 'PreTrainedTokenizerFast',
        bos_token: beginning,
        eos_token: end,
        unk_token: textOf(model.unknown),
        pad_token: textOf(model.padding),
        clean_up_tokenization_spaces: false,
      }).filter(([, value]) => value !== undefined),
    ),
  };
}

/** Control pieces and (where scores do not choose them) user-defined ones, then what tokenizer_config.json adds (`added_tokens_decoder`), by id. */
function addedTokens({ pieces, kind }: SentencePieceModel, config: JsonRecord): Map<number, JsonRecord> {
  const found = new Map<number, JsonRecord>();
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  for (const [id, { text, type }] of pieces.entries())
    if (
      text !== '' &&
      (type === PIECE.control || type === PIECE.unknown || (type === PIECE.userDefined && kind === 'BPE'))
    )
      found.set(id, { id, content: text, ...plain, special: type !== PIECE.userDefined });
  const decoder = isRecord(config.added_tokens_decoder) ? config.added_tokens_decoder : {};
  for (const [id, token] of Object.entries(decoder))
    if (isRecord(token)) found.set(Number(id), { ...plain, special: false, ...token, id: Number(id) });
  return found;
}

function normalizer(
  { charsmap, addsPrefix, removesExtraSpaces }: SentencePieceModel,
  isLegacy: boolean,
): JsonRecord | null {
  const steps = [
    ...(charsmap.length > 0 ? [{ type: 'Precompiled', precompiled_charsmap: base64Encode(charsmap) }] : []),
    ...(removesExtraSpaces
      ? [
          // Where Metaspace prepends, it takes a space that is left for its own, and prepends nothing to a text whose beginning is gone.
          { type: 'Strip', strip_left: isLegacy || !addsPrefix, strip_right: true },
          { type: 'Replace', pattern: { Regex: ' {2,}' }, content: ' ' },
        ]
      : []),
    ...(isLegacy && addsPrefix ? [{ type: 'Prepend', prepend: '▁' }] : []),
    ...(isLegacy ? [{ type: 'Replace', pattern: { String: ' ' }, content: '▁' }] : []),
  ];
  return steps.length > 0 ? { type: 'Sequence', normalizers: steps } : null;
}

function bytePairs({ pieces, unknown, byteFallback }: SentencePieceModel): JsonRecord {
  // Without a prototype, so that a token named __proto__ is one entry like any other.
  const vocab = Object.create(null) as Record<string, number>;
  for (const [id, { text }] of pieces.entries()) if (!Object.hasOwn(vocab, text)) vocab[text] = id;
  const isJoined = (id: number) => pieces[id]?.type === PIECE.normal || pieces[id]?.type === PIECE.userDefined;
  return {
    type: 'BPE',
    dropout: null,
    unk_token: pieces[unknown]?.text ?? null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: byteFallback,
    ignore_merges: false,
    vocab,
    merges: sentencePieceMerges(
      pieces.map(({ text }) => text),
      pieces.map(({ score }) => score),
      isJoined,
    ),
  };
}

function unigram({ pieces, unknown, byteFallback }: SentencePieceModel): JsonRecord {
  const highest = pieces.reduce(
    (most, { type, score }) => (type === PIECE.normal ? Math.max(most, score) : most),
    Number.NEGATIVE_INFINITY,
  );
  const scoreOf = ({ text, type, score }: Piece): number => {
    // As unigram_model.cc scores them: above whatever else would spell the same.
    if (type === PIECE.userDefined) return new TextEncoder().encode(text).length * highest - 0.1;
    return type === PIECE.unused ? NEVER : score;
  };
  return {
    type: 'Unigram',
    unk_id: pieces[unknown]?.type === PIECE.unknown ? unknown : null,
    byte_fallback: byteFallback,
    vocab: pieces.map((piece) => [piece.text, scoreOf(piece)]),
  };
}
