import { isRecord } from '../../files/json.ts';
import type { Normalizer } from './normalizers.ts';
import { flagOf } from './read-step.ts';

/** A token beside the model's vocabulary, found in a text before words are made. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
  /** Whether it is looked for in the normalised text, not in the text as given. */
  readonly normalized: boolean;
  readonly singleWord: boolean;
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
}

/** A part of a text: one that is still to be encoded, or an added token. */
export type Section = { readonly text: string; readonly start: number } | { readonly id: number };

/**
 * The added tokens of a checked tokenizer.json. As in the Python package their ids are counted, not read: a token that the vocabulary has keeps its id
 * there, the others follow the vocabulary and each other.
 */
export function addedTokens(list: readonly unknown[], vocabulary: ReadonlyMap<string, number>): AddedToken[] {
  const known = new Map<string, number>();
  let largest = -1;
  return list.filter(isRecord).map((entry) => {
    const content = String(entry.content);
    const special = flagOf(entry, 'special', false);
    const id = vocabulary.get(content) ?? known.get(content) ?? Math.max(vocabulary.size, largest + 1);
    known.set(content, id);
    largest = Math.max(largest, id);
    return {
      id,
      content,
      special,
      normalized: flagOf(entry, 'normalized', !special),
      singleWord: flagOf(entry, 'single_word', false),
      stripsLeft: flagOf(entry, 'lstrip', false),
      stripsRight: flagOf(entry, 'rstrip', false),
    };
  });
}

const WORD_AT_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const WORD_AT_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;

/** Finds added tokens in a text: the leftmost first, of those the longest. */
export function tokenFinder(
  tokens: readonly AddedToken[],
  normalize: Normalizer = (content) => content,
): (text: string) => Section[] {
  const byContent = new Map<string, AddedToken>();
  for (const token of tokens) {
    const content = normalize(token.content);
    if (content !== '' && !byContent.has(content)) byContent.set(content, token);
  }
  if (byContent.size === 0) return (text) => (text === '' ? [] : [{ text, start: 0 }]);
  const alternatives = [...byContent.keys()]
    .sort((a, b) => b.length - a.length)
    .map((content) => content.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
  const expression = new RegExp(alternatives.join('|'), 'gu');
  return (text) => {
    const sections: Section[] = [];
    let done = 0;
    for (const match of text.matchAll(expression)) {
      const token = byContent.get(match[0]);
      if (!token) continue;
      let start = match.index;
      let stop = start + match[0].length;
      if (token.singleWord && (WORD_AT_END.test(text.slice(0, start)) || WORD_AT_START.test(text.slice(stop))))
        continue;
      if (token.stripsLeft) start = Math.max(spacesBefore(text, start), done);
      if (token.stripsRight) stop = spacesAfter(text, stop);
      if (start > done) sections.push({ text: text.slice(done, start), start: done });
      // Nothing is left of a token whose text an earlier one has stripped away.
      if (start < stop) sections.push({ id: token.id });
      done = Math.max(done, stop);
    }
    if (done < text.length) sections.push({ text: text.slice(done), start: done });
    return sections;
  };
}

const SPACE = /\p{White_Space}/u;

function spacesBefore(text: string, end: number): number {
  let start = end;
  while (start > 0 && SPACE.test(text[start - 1] ?? '')) start -= 1;
  return start;
}

function spacesAfter(text: string, start: number): number {
  let end = start;
  while (end < text.length && SPACE.test(text[end] ?? '')) end += 1;
  return end;
}
