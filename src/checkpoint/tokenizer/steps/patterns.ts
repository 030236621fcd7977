import { FileFormatError } from '../../../errors.ts';
import { isRecord } from '../../files/json.ts';
import { oniguruma } from './oniguruma.ts';

/** A part of a text, and whether a pattern matched it. */
export interface Span {
  readonly text: string;
  readonly matched: boolean;
}

/** A text as consecutive spans; a match may be empty. */
export type Pattern = (text: string) => Span[];

/** White space as Unicode has it: with U+0085, without U+FEFF (JavaScript's own `\s` has them the other way round). */
export const WHITE_SPACE = /\p{White_Space}/u;

const LOW_SURROGATE = /^[\udc00-\udfff]/;

/** Punctuation as the Python package has it: of ASCII also the symbols. */
export const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/u;

/** The pattern of a step as tokenizer.json writes it: {Regex} in Oniguruma's syntax, or {String}. Throws FileFormatError for anything else, SyntaxError for a broken one. */
export function patternOf(pattern: unknown): Pattern {
  if (isRecord(pattern) && typeof pattern.String === 'string') return literal(pattern.String);
  if (isRecord(pattern) && typeof pattern.Regex === 'string') return matching(oniguruma(pattern.Regex));
  throw new FileFormatError('a pattern is neither a Regex nor a String');
}

/** Spans by a global expression. As Oniguruma searches, no empty match follows another one at once; V8 finds some within a surrogate pair. */
export function matching(expression: RegExp): Pattern {
  return (text) => {
    const spans: Span[] = [];
    let end = 0;
    for (const match of text.matchAll(expression)) {
      if (match[0] === '' && ((spans.length > 0 && match.index === end) || LOW_SURROGATE.test(text[match.index] ?? '')))
        continue;
      if (match.index > end) spans.push({ text: text.slice(end, match.index), matched: false });
      spans.push({ text: match[0], matched: true });
      end = match.index + match[0].length;
    }
    if (end < text.length) spans.push({ text: text.slice(end), matched: false });
    return spans;
  };
}

/** Spans by characters, each match of one character. */
export function characters(expression: RegExp): Pattern {
  return matching(new RegExp(expression.source, 'gu'));
}

function literal(wanted: string): Pattern {
  if (wanted === '') return (text) => [{ text, matched: false }];
  return matching(new RegExp(wanted.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'), 'gu'));
}

/** The text with each match replaced. */
export function replaced(text: string, pattern: Pattern, content: string): string {
  return pattern(text)
    .map((span) => (span.matched ? content : span.text))
    .join('');
}

/** What becomes of matches when a text is split, in the Python package's names. */
export const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
export type Behavior = (typeof BEHAVIORS)[number];

/** Splits a text at a pattern's matches; no part is empty. */
export function split(text: string, pattern: Pattern, behavior: Behavior, invert = false): string[] {
  const spans = pattern(text).map((span) => (invert ? { text: span.text, matched: !span.matched } : span));
  return parts(spans, behavior).filter((part) => part !== '');
}

function parts(spans: readonly Span[], behavior: Behavior): string[] {
  switch (behavior) {
    case 'Removed':
      return spans.flatMap(({ text, matched }) => (matched ? [] : [text]));
    case 'Isolated':
      return spans.map(({ text }) => text);
    case 'Contiguous':
      return joined(spans, (span, previous) => span.matched === previous.matched);
    case 'MergedWithPrevious':
      return joined(spans, (span, previous) => span.matched && !previous.matched);
    case 'MergedWithNext':
      return joined(spans, (span, previous) => previous.matched && !span.matched, true);
  }
}

/**
 * Joins spans to the part before them where `joins` says so. From the end where the next one takes a match: of several matches in a row only the last
 * joins what follows.
 */
function joined(spans: readonly Span[], joins: (span: Span, previous: Span) => boolean, fromEnd = false): string[] {
  const result: string[] = [];
  const order = fromEnd ? [...spans].reverse() : spans;
  for (const [index, span] of order.entries()) {
    const previous = order[index - 1];
    const last = result.length - 1;
    if (previous && (fromEnd ? joins(previous, span) : joins(span, previous)))
      result[last] = fromEnd ? span.text + (result[last] ?? '') : (result[last] ?? '') + span.text;
    else result.push(span.text);
  }
  return fromEnd ? result.reverse() : result;
}
