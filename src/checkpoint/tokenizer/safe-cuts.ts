import type { JsonRecord } from '../files/json.ts';
import { flagOf } from './steps/read-step.ts';

/** Code points are below 2^21: a pair of them is one number. */
const pairKey = (first: number, second: number) => first * 0x200000 + second;

/**
 * SentencePiece-style byte-pair models take a whole text as one word, which costs a heap of the text's length. But where two neighbouring characters stand
 * side by side in no piece that a merge makes, no piece can ever span the place between them; so the text may be cut there first: merges on either side
 * never meet, and each side applies them in the order that the whole would. Short parts are faster, and repeated ones come from the tokenizer's cache.
 * Characters without a token of their own are not cut apart: a row of them may become one unknown token, and the bytes of one may merge with the next's.
 * Returns the function that cuts, or undefined for a model that treats whole words in a way of its own.
 */
export function safeCuts(
  model: JsonRecord,
  ids: ReadonlyMap<string, number>,
): ((text: string) => string[]) | undefined {
  if (!Array.isArray(model.merges) || model.end_of_word_suffix || model.continuing_subword_prefix) return undefined;
  if (flagOf(model, 'ignore_merges', false)) return undefined;
  const joined = new Set<number>();
  for (const merge of model.merges as unknown[]) {
    let previous = -1;
    for (const character of Array.isArray(merge) ? merge.join('') : String(merge).replace(' ', '')) {
      const current = character.codePointAt(0) ?? 0;
      if (previous >= 0) joined.add(pairKey(previous, current));
      previous = current;
    }
  }
  return (text) => {
    const parts: string[] = [];
    let start = 0;
    let previous = -1;
    let wasKnown = false;
    for (let i = 0; i < text.length; ) {
      const current = text.codePointAt(i) ?? 0;
      const isKnown = ids.has(String.fromCodePoint(current));
      if (previous >= 0 && isKnown && wasKnown && !joined.has(pairKey(previous, current))) {
        parts.push(text.slice(start, i));
        start = i;
      }
      previous = current;
      wasKnown = isKnown;
      i += current > 0xffff ? 2 : 1;
    }
    if (start < text.length) parts.push(text.slice(start));
    return parts;
  };
}
