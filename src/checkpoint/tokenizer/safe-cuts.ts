import { isRecord, type JsonRecord } from '../files/json.ts';

/** Code points are below 2^21: a pair of them is one number. */
const pairKey = (first: number, second: number) => first * 0x200000 + second;

/**
 * SentencePiece-style byte-pair models take a whole text as one word, which costs a heap of the text's length. But where two neighbouring characters stand
 * side by side in no piece that a merge makes, no piece can ever span the place between them; so the text may be cut there first: merges on either side
 * never meet, and each side applies them in the order that the whole would. Short parts are faster, and repeated ones come from the tokenizer's cache.
 * Returns the function that cuts, or undefined for a tokenizer that has words already or treats whole words in a way of their own.
 */
export function safeCuts(tokenizer: JsonRecord): ((text: string) => string[]) | undefined {
  const { model } = tokenizer;
  if (!isRecord(model) || !Array.isArray(model.merges) || (tokenizer.pre_tokenizer ?? null) !== null) return undefined;
  if (
    model.ignore_merges === true ||
    model.end_of_word_suffix ||
    model.continuing_subword_prefix ||
    model.continuing_subword_suffix
  )
    return undefined;
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
    for (let i = 0; i < text.length; ) {
      const current = text.codePointAt(i) ?? 0;
      if (previous >= 0 && !joined.has(pairKey(previous, current))) {
        parts.push(text.slice(start, i));
        start = i;
      }
      previous = current;
      i += current > 0xffff ? 2 : 1;
    }
    if (start < text.length) parts.push(text.slice(start));
    return parts;
  };
}
