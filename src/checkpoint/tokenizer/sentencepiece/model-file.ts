import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { FileFormatError, UnsupportedError } from '../../../errors.ts';

/** What a piece is, by the numbers of sentencepiece_model.proto. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface Piece {
  readonly text: string;
  readonly score: number;
  /** One of `PIECE`. */
  readonly type: number;
}

/** A tokenizer.model, as SentencePiece saves it. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  readonly kind: 'Unigram' | 'BPE';
  /** Whether what no piece spells is spelled by bytes. */
  readonly byteFallback: boolean;
  /** Ids; negative where there is none. */
  readonly unknown: number;
  readonly beginning: number;
  readonly end: number;
  readonly padding: number;
  /** The normaliser's table of replacements (a trie); empty for identity. */
  readonly charsmap: Uint8Array;
  readonly addsPrefix: boolean;
  readonly removesExtraSpaces: boolean;
}

/** The largest vocabularies have some 260,000 pieces. */
const MOST_PIECES = 1 << 22;

/**
 * Reads a tokenizer.model (sentencepiece_model.proto, `ModelProto`). Throws FileFormatError for a file that is none, UnsupportedError for models of words or characters and for settings that no language model uses.
 */
export function readSentencePieceModel(bytes: Uint8Array, file: string): SentencePieceModel {
  const pieces: Piece[] = [];
  let trainer: Uint8Array = new Uint8Array();
  let normalizer: Uint8Array = new Uint8Array();
  try {
    for (const { number, value } of fields(bytes)) {
      if (!(value instanceof Uint8Array)) continue;
      if (number === 1) pieces.push(readPiece(value));
      if (number === 2) trainer = value;
      if (number === 3) normalizer = value;
      if (pieces.length > MOST_PIECES) throw new RangeError(`more than ${MOST_PIECES} pieces`);
    }
    if (pieces.length === 0) throw new RangeError('no pieces');
    return { pieces, ...readTrainer(numbersOf(trainer), file), ...readNormalizer(normalizer, file) };
  } catch (cause) {
    if (cause instanceof UnsupportedError) throw cause;
    throw new FileFormatError(
      `${file} is no SentencePiece model: ${cause instanceof Error ? cause.message : String(cause)}. Take the tokenizer.model of this model, or its tokenizer.json.`,
      { cause },
    );
  }
}

interface Field {
  readonly number: number;
  readonly value: Uint8Array | number;
}

/** The fields of a message: bytes, or a number (an integer, a truth value, or a float by its four bytes). Throws where a record runs past the end. */
function* fields(bytes: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(bytes);
  while (reader.pos < bytes.length) {
    const [number, type] = reader.tag();
    if (type === WireType.LengthDelimited) {
      const length = reader.uint32();
      if (length > bytes.length - reader.pos) throw new RangeError('a record runs past the end of the file');
      yield { number, value: bytes.subarray(reader.pos, reader.pos + length) };
      reader.pos += length;
    } else if (type === WireType.Varint) yield { number, value: Number(reader.int64()) };
    else if (type === WireType.Bit32) yield { number, value: reader.float() };
    else reader.skip(type, number);
  }
}

/** The numbers of a message by their fields. */
function numbersOf(bytes: Uint8Array): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { number, value } of fields(bytes)) if (typeof value === 'number') found.set(number, value);
  return found;
}

function readPiece(bytes: Uint8Array): Piece {
  let [text, score, type] = ['', 0, PIECE.normal as number];
  for (const { number, value } of fields(bytes)) {
    if (number === 1 && value instanceof Uint8Array)
      text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value);
    if (number === 2 && typeof value === 'number') score = value;
    if (number === 3 && typeof value === 'number') type = value;
  }
  return { text, score, type };
}

/** `TrainerSpec`, with the defaults of sentencepiece_model.proto. */
function readTrainer(numbers: ReadonlyMap<number, number>, file: string) {
  const kind = ({ 1: 'Unigram', 2: 'BPE' } as const)[numbers.get(3) ?? 1];
  if (kind === undefined)
    throw new UnsupportedError(
      `${file} is a model of ${numbers.get(3) === 3 ? 'words' : 'characters'}; Unigram and BPE are supported. Choose a model with one of these.`,
    );
  if (numbers.get(24)) throw unsupported(file, 'puts white space behind words');
  return {
    kind,
    byteFallback: Boolean(numbers.get(35)),
    unknown: numbers.get(40) ?? 0,
    beginning: numbers.get(41) ?? 1,
    end: numbers.get(42) ?? 2,
    padding: numbers.get(43) ?? -1,
  };
}

/** `NormalizerSpec`, with its defaults. */
function readNormalizer(bytes: Uint8Array, file: string) {
  const numbers = numbersOf(bytes);
  if (numbers.get(5) === 0) throw unsupported(file, 'leaves white space as it is');
  let charsmap: Uint8Array = new Uint8Array();
  for (const { number, value } of fields(bytes)) if (number === 2 && value instanceof Uint8Array) charsmap = value;
  return { charsmap, addsPrefix: numbers.get(3) !== 0, removesExtraSpaces: numbers.get(4) !== 0 };
}

const unsupported = (file: string, what: string) =>
  new UnsupportedError(
    `${file} ${what}, which is not supported. Put the model's tokenizer.json beside it, which transformers makes of it.`,
  );
