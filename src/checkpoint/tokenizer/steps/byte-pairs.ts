import { FileFormatError } from '../../../errors.ts';
import type { JsonRecord } from '../../files/json.ts';
import { safeCuts } from '../safe-cuts.ts';
import { flagOf } from './read-step.ts';
import { byteTokens, refuseUnknown, type TokenModel, vocabularyOf } from './vocabulary.ts';

/** Ids are below 2^22 (tokenizer-json.ts): a pair of them is one number. */
const pairKey = (left: number, right: number) => left * 0x400000 + right;

const LONGEST_CACHED = 256;
const CACHE_CAPACITY = 10_000;

/**
 * Byte-pair encoding (Sennrich et al. 2016) as the Python package computes it: characters become ids first, then the pair with the lowest rank is merged,
 * the leftmost of equals, until none is left. Unknown characters become the unknown token (in a row one, with `fuse_unk`), or byte tokens with
 * `byte_fallback`, or nothing where there is no unknown token. Throws FileFormatError for a merge of tokens that the vocabulary lacks.
 */
export function bytePairs(model: JsonRecord): TokenModel {
  const ids = vocabularyOf(model);
  const prefix = typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '';
  const suffix = typeof model.end_of_word_suffix === 'string' ? model.end_of_word_suffix : '';
  const ignoresMerges = flagOf(model, 'ignore_merges', false);
  const merges = readMerges(model, ids, prefix);
  const symbols = symbolsOf(model, ids, prefix, suffix);
  const cuts = safeCuts(model, ids);
  const cache = new Map<string, number[]>();
  const encodePart = (word: string): number[] => {
    const known = cache.get(word);
    if (known) return known;
    const merged = merge(symbols(word), merges);
    if (word.length < LONGEST_CACHED) {
      if (cache.size >= CACHE_CAPACITY) cache.clear();
      cache.set(word, merged);
    }
    return merged;
  };
  return {
    ids,
    encode(word) {
      const whole = ignoresMerges ? ids.get(word) : undefined;
      if (whole !== undefined) return [whole];
      if (!cuts || word.length < LONGEST_CACHED) return encodePart(word).slice();
      const result: number[] = [];
      for (const part of cuts(word)) for (const id of encodePart(part)) result.push(id);
      return result;
    },
  };
}

interface Merge {
  readonly rank: number;
  readonly id: number;
}

function readMerges(model: JsonRecord, ids: ReadonlyMap<string, number>, prefix: string): Map<number, Merge> {
  const merges = new Map<number, Merge>();
  for (const [rank, entry] of (model.merges as (string | [string, string])[]).entries()) {
    const [left = '', right = ''] = Array.isArray(entry) ? entry : entry.split(' ', 2);
    const joined = left + right.slice(prefix.length);
    const [leftId, rightId, id] = [ids.get(left), ids.get(right), ids.get(joined)];
    if (leftId === undefined || rightId === undefined || id === undefined) {
      const missing = leftId === undefined ? left : rightId === undefined ? right : joined;
      throw new FileFormatError(`merge ${rank} needs the token ${JSON.stringify(missing)}, which the vocabulary lacks`);
    }
    merges.set(pairKey(leftId, rightId), { rank, id });
  }
  return merges;
}

/** The ids that a word begins with, before merges. */
function symbolsOf(
  model: JsonRecord,
  ids: ReadonlyMap<string, number>,
  prefix: string,
  suffix: string,
): (word: string) => number[] {
  const inBytes = byteTokens(model, ids);
  const fuses = flagOf(model, 'fuse_unk', false);
  const unknown = typeof model.unk_token === 'string' ? model.unk_token : undefined;
  return (word) => {
    const result: number[] = [];
    let pending = -1;
    let place = 0;
    for (const character of word) {
      const isFirst = place === 0;
      place += character.length;
      const symbol = (isFirst ? '' : prefix) + character + (place === word.length ? suffix : '');
      const id = ids.get(symbol);
      if (id !== undefined) {
        if (pending >= 0) result.push(pending);
        pending = -1;
        result.push(id);
        continue;
      }
      const bytes = inBytes(symbol);
      // The package puts an unknown token that is not written yet after the bytes.
      if (bytes) result.push(...bytes);
      else if (unknown !== undefined) {
        if (pending >= 0 && !fuses) result.push(pending);
        pending = ids.get(unknown) ?? refuseUnknown(character);
      }
    }
    if (pending >= 0) result.push(pending);
    return result;
  };
}

/** Merges neighbours by a heap of candidates, ordered by rank and then by place. */
function merge(symbols: number[], merges: ReadonlyMap<number, Merge>): number[] {
  if (symbols.length < 2 || merges.size === 0) return symbols;
  const count = symbols.length;
  const next = Int32Array.from({ length: count }, (_, place) => (place + 1 < count ? place + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, place) => place - 1);
  const gone = new Uint8Array(count);
  const heap = new Heap();
  const offer = (place: number) => {
    const right = next[place] ?? -1;
    if (place < 0 || right < 0) return;
    const candidate = merges.get(pairKey(symbols[place] ?? 0, symbols[right] ?? 0));
    // Ranks and places are below 2^26: both fit one number.
    if (candidate) heap.push(candidate.rank * 0x4000000 + place);
  };
  for (let place = 0; place + 1 < count; place += 1) offer(place);
  for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
    const place = key % 0x4000000;
    const right = next[place] ?? -1;
    if (gone[place] || right < 0) continue;
    const candidate = merges.get(pairKey(symbols[place] ?? 0, symbols[right] ?? 0));
    // Expired: one of the two has changed since.
    if (candidate?.rank !== (key - place) / 0x4000000) continue;
    symbols[place] = candidate.id;
    gone[right] = 1;
    const after = next[right] ?? -1;
    next[place] = after;
    if (after >= 0) previous[after] = place;
    offer(previous[place] ?? -1);
    offer(place);
  }
  return symbols.filter((_, place) => !gone[place]);
}

/** A binary heap of numbers, the least first. */
class Heap {
  readonly #keys: number[] = [];

  push(key: number): void {
    const keys = this.#keys;
    let place = keys.length;
    keys.push(key);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = keys[parent] ?? 0;
      if (above <= key) break;
      keys[place] = above;
      keys[parent] = key;
      place = parent;
    }
  }

  pop(): number | undefined {
    const keys = this.#keys;
    const top = keys[0];
    const last = keys.pop();
    if (last === undefined || keys.length === 0) return top;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= keys.length) break;
      if (child + 1 < keys.length && (keys[child + 1] ?? 0) < (keys[child] ?? 0)) child += 1;
      if ((keys[child] ?? 0) >= last) break;
      keys[place] = keys[child] ?? 0;
      place = child;
    }
    keys[place] = last;
    return top;
  }
}
