import type { JsonRecord } from '../../files/json.ts';
import { flagOf } from './read-step.ts';
import { byteTokens, refuseUnknown, type TokenModel } from './vocabulary.ts';

/** How much less probable than the rarest piece an unknown character is. */
const UNKNOWN_PENALTY = 10;

interface Node {
  readonly next: Map<number, Node>;
  id: number;
}

/** SentencePiece's unigram model: the most probable way to cut a word into pieces (Kudo 2018, Viterbi), as the Python package computes it. */
export function unigram(model: JsonRecord): TokenModel {
  const entries = model.vocab as [string, number][];
  const scores = entries.map(([, score]) => score);
  const ids = new Map(entries.map(([piece], id) => [piece, id]));
  const unknownId = typeof model.unk_id === 'number' ? model.unk_id : undefined;
  const fuses = flagOf(model, 'fuse_unk', true);
  const inBytes = byteTokens(model, ids);
  let unknownScore = Number.POSITIVE_INFINITY;
  for (const score of scores) unknownScore = Math.min(unknownScore, score - UNKNOWN_PENALTY);
  const root: Node = { next: new Map(), id: -1 };
  for (const [piece, id] of ids) insert(root, piece, id);

  /** Pieces of the word; unknown characters in a row as one. */
  const cut = (word: string): string[] => {
    const size = word.length;
    const best = new Float64Array(size + 1);
    const begins = new Int32Array(size + 1).fill(-1);
    const taken = new Int32Array(size + 1);
    const offer = (end: number, score: number, begin: number, id: number) => {
      if (begins[end] !== -1 && !(score > (best[end] ?? 0))) return;
      best[end] = score;
      begins[end] = begin;
      taken[end] = id;
    };
    for (let begin = 0; begin < size; ) {
      const here = best[begin] ?? 0;
      const width = (word.codePointAt(begin) ?? 0) > 0xffff ? 2 : 1;
      let hasSingle = false;
      let node: Node | undefined = root;
      for (let end = begin; end < size; ) {
        const code = word.codePointAt(end) ?? 0;
        node = node.next.get(code);
        if (!node) break;
        end += code > 0xffff ? 2 : 1;
        if (node.id < 0) continue;
        offer(end, (scores[node.id] ?? 0) + here, begin, node.id);
        hasSingle ||= end - begin === width;
      }
      if (!hasSingle) offer(begin + width, unknownScore + here, begin, unknownId ?? refuseUnknown(word));
      begin += width;
    }
    const pieces: string[] = [];
    let unknown = '';
    for (let end = size; end > 0; ) {
      const begin = begins[end] ?? 0;
      const piece = word.slice(begin, end);
      if (fuses && taken[end] === unknownId) unknown = piece + unknown;
      else {
        if (unknown !== '') pieces.push(unknown);
        unknown = '';
        pieces.push(piece);
      }
      end = begin;
    }
    if (unknown !== '') pieces.push(unknown);
    return pieces.reverse();
  };
  return {
    ids,
    encode: (word) =>
      cut(word).flatMap((piece) => ids.get(piece) ?? inBytes(piece) ?? unknownId ?? refuseUnknown(piece)),
  };
}

function insert(root: Node, piece: string, id: number): void {
  let node = root;
  for (const character of piece) {
    const code = character.codePointAt(0) ?? 0;
    let next = node.next.get(code);
    if (!next) {
      next = { next: new Map(), id: -1 };
      node.next.set(code, next);
    }
    node = next;
  }
  if (node !== root) node.id = id;
}
