import { UnsupportedError } from '../../../errors.ts';
import { isRecord, type JsonRecord } from '../../files/json.ts';
import { quote } from '../../weights.ts';

/** What tokens a vocabulary has, and which of them others are made of. */
export interface TokenParts {
  /** Ids by text, special and added tokens included. */
  readonly ids: ReadonlyMap<string, number>;
  /** Tokens that stay whatever is asked for: bytes, single characters, special and added tokens. */
  readonly necessary: ReadonlySet<number>;
  /** The tokens that merges make on the way to a token, its characters included and itself not; none for pieces that are chosen, not made. */
  partsOf(id: number): readonly number[];
}

/**
 * The vocabulary of tokenizer.json: byte pairs (on bytes, or on characters with fallback to bytes) or Unigram. Throws UnsupportedError for other kinds, and for a vocabulary that could not
 * spell every text any more.
 */
export function tokenParts(tokenizer: JsonRecord, name: string): TokenParts {
  const { model } = tokenizer;
  const type = isRecord(model) ? (model.type ?? 'BPE') : undefined;
  if (!isRecord(model) || (type !== 'BPE' && type !== 'Unigram'))
    throw new UnsupportedError(
      `The vocabulary of ${name} is of the kind ${quote(String(type))}; BPE and Unigram can be made smaller. Keep it whole.`,
    );
  const ids = new Map<string, number>();
  const necessary = new Set<number>();
  const vocab = type === 'BPE' ? Object.entries(model.vocab as JsonRecord) : unigramEntries(model);
  for (const [text, id] of vocab) {
    ids.set(text, Number(id));
    if (/^<0x[0-9A-F]{2}>$/.test(text)) necessary.add(Number(id));
  }
  // What no merge makes spells every text where nothing longer is left; with all bytes there, characters are spelt with those.
  if (model.byte_fallback !== true || necessary.size < 256)
    for (const [text, id] of vocab) if ([...text].length === 1) necessary.add(Number(id));
  const unknown = type === 'BPE' ? ids.get(String(model.unk_token)) : model.unk_id;
  if (typeof unknown === 'number') necessary.add(unknown);
  for (const each of listOf(tokenizer.added_tokens)) {
    ids.set(String(each.content), Number(each.id));
    necessary.add(Number(each.id));
  }
  const parts = type === 'BPE' ? mergedParts(model, ids) : new Map<number, readonly number[]>();
  return { ids, necessary, partsOf: (id) => parts.get(id) ?? [] };
}

function unigramEntries(model: JsonRecord): [string, number][] {
  return (model.vocab as [string, number][]).map(([text], id) => [text, id]);
}

export function listOf(value: unknown): JsonRecord[] {
  return Array.isArray(value) ? (value as unknown[]).filter(isRecord) : [];
}

/** A merge as its two texts; files write it as a pair, or as one text with a space. */
export function mergeOf(merge: unknown): readonly [string, string] {
  if (Array.isArray(merge)) return [String(merge[0]), String(merge[1])];
  const text = String(merge);
  const cut = text.indexOf(' ');
  return [text.slice(0, cut), text.slice(cut + 1)];
}

/**
 * By token, those that merges make on the way to it: what byte-pair encoding makes of the token's own text. Inside a longer text the way to it is the same, because merges that
 * cross its borders would have made another token.
 */
function mergedParts(model: JsonRecord, ids: ReadonlyMap<string, number>): Map<number, readonly number[]> {
  const prefix = typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '';
  if (prefix !== '')
    throw new UnsupportedError(
      'Byte pairs with a prefix for continued words cannot be made fewer. Keep the vocabulary.',
    );
  const ranks = new Map<string, number>();
  for (const [rank, merge] of (model.merges as unknown[]).entries()) {
    const key = mergeOf(merge).join('\u0000');
    if (!ranks.has(key)) ranks.set(key, rank);
  }
  const found = new Map<number, readonly number[]>();
  for (const [text, id] of ids) found.set(id, derivation(text, ranks, ids));
  return found;
}

function derivation(text: string, ranks: ReadonlyMap<string, number>, ids: ReadonlyMap<string, number>): number[] {
  let pieces = [...text];
  // Very long tokens are runs of one character; the square of their length would be tried.
  const made = pieces.length > 1 ? pieces.flatMap((piece) => ids.get(piece) ?? []) : [];
  if (pieces.length > 256) return made;
  while (pieces.length > 1) {
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i + 1 < pieces.length; i++) {
      const rank = ranks.get(`${pieces[i]}\u0000${pieces[i + 1]}`);
      if (rank !== undefined && rank < lowest) [best, lowest] = [i, rank];
    }
    if (best < 0) break;
    const joined = `${pieces[best]}${pieces[best + 1]}`;
    pieces = [...pieces.slice(0, best), joined, ...pieces.slice(best + 2)];
    const id = ids.get(joined);
    if (id !== undefined && joined !== text) made.push(id);
  }
  return made;
}
