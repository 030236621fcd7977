import type { JsonRecord } from '../../files/json.ts';
import { refuseUnknown, type TokenModel, vocabularyOf } from './vocabulary.ts';

/** BERT's: the longest piece that the rest of the word begins with, again and again. */
export function wordPieces(model: JsonRecord): TokenModel {
  const ids = vocabularyOf(model);
  const prefix = typeof model.continuing_subword_prefix === 'string' ? model.continuing_subword_prefix : '##';
  const longest = typeof model.max_input_chars_per_word === 'number' ? model.max_input_chars_per_word : 100;
  const unknown = ids.get(typeof model.unk_token === 'string' ? model.unk_token : '[UNK]');
  const pieces = (characters: readonly string[]): number[] | undefined => {
    const found: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = characters.length;
      let id: number | undefined;
      for (; end > start; end -= 1) {
        id = ids.get((start > 0 ? prefix : '') + characters.slice(start, end).join(''));
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      found.push(id);
      start = end;
    }
    return found;
  };
  return {
    ids,
    encode(word) {
      const characters = [...word];
      const found = characters.length > longest ? undefined : pieces(characters);
      return found ?? [unknown ?? refuseUnknown(word)];
    },
  };
}

/** Each word is a token. */
export function wholeWords(model: JsonRecord): TokenModel {
  const ids = vocabularyOf(model);
  const unknown = ids.get(typeof model.unk_token === 'string' ? model.unk_token : '<unk>');
  return { ids, encode: (word) => [ids.get(word) ?? unknown ?? refuseUnknown(word)] };
}
