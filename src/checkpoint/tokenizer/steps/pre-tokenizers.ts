import { FileFormatError, UnsupportedError } from '../../../errors.ts';
import { toByteAlphabet } from './byte-alphabet.ts';
import { oniguruma } from './oniguruma.ts';
import {
  BEHAVIORS,
  type Behavior,
  characters,
  matching,
  PUNCTUATION,
  patternOf,
  split,
  WHITE_SPACE,
} from './patterns.ts';
import { flagOf, innerSteps, type Step, textOf } from './read-step.ts';

/** Cuts a part of a text into words; `atStart` says that the part begins where the whole text does. No word is empty. */
export type PreTokenizer = (text: string, atStart: boolean) => string[];

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
/** Word characters as Unicode has them, with the joiners. */
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

/** Steps that write other characters, from the first on. */
const REWRITES: ReadonlySet<string> = new Set(['ByteLevel', 'Metaspace', 'Sequence']);

/**
 * What a pre-tokenizer of tokenizer.json does to a text, as the Python package `tokenizers` 0.23 does it.
 * Throws UnsupportedError naming a type that is not known, FileFormatError for a field that is missing or has an unknown value.
 */
export function preTokenizer(step: Step): PreTokenizer {
  switch (step.type) {
    case 'Sequence': {
      const steps = innerSteps(step, 'pretokenizers').map((inner) => ({
        apply: preTokenizer(inner),
        rewrites: REWRITES.has(inner.type),
      }));
      return (text, atStart) => {
        let [words, begins] = [[text], atStart];
        for (const { apply, rewrites } of steps) {
          const [before] = words;
          words = words.flatMap((word, index) => apply(word, begins && index === 0));
          // A step that removes what the text begins with leaves no word that begins there.
          begins &&= rewrites || (before ?? '').startsWith(words[0] ?? '');
        }
        return words;
      };
    }
    case 'ByteLevel':
      return byteLevel(step);
    case 'Metaspace':
      return metaspace(step);
    case 'Split': {
      const pattern = patternOf(step.pattern);
      const behavior = behaviorOf(step, 'Isolated');
      const invert = flagOf(step, 'invert', false);
      return (text) => split(text, pattern, behavior, invert);
    }
    case 'Punctuation': {
      const pattern = characters(PUNCTUATION);
      const behavior = behaviorOf(step, 'Isolated');
      return (text) => split(text, pattern, behavior);
    }
    case 'Digits': {
      const pattern = characters(/\p{N}/u);
      const behavior = flagOf(step, 'individual_digits', false) ? 'Isolated' : 'Contiguous';
      return (text) => split(text, pattern, behavior);
    }
    case 'Whitespace':
      return (text) => split(text, matching(WORDS), 'Removed', true);
    case 'WhitespaceSplit':
      return (text) => split(text, characters(WHITE_SPACE), 'Removed');
    case 'CharDelimiterSplit': {
      const pattern = patternOf({ String: textOf(step, 'delimiter') });
      return (text) => split(text, pattern, 'Removed');
    }
    case 'BertPreTokenizer': {
      const [spaces, punctuation] = [characters(WHITE_SPACE), characters(PUNCTUATION)];
      return (text) => split(text, spaces, 'Removed').flatMap((word) => split(word, punctuation, 'Isolated'));
    }
    case 'FixedLength':
      return fixedLength(step);
    default:
      throw new UnsupportedError(`the pre_tokenizer ${step.type} is not supported`);
  }
}

function byteLevel(step: Step): PreTokenizer {
  const addsSpace = flagOf(step, 'add_prefix_space', true);
  const pattern = flagOf(step, 'use_regex', true) ? matching(oniguruma(GPT2)) : undefined;
  return (text) => {
    const spaced = addsSpace && !text.startsWith(' ') ? ` ${text}` : text;
    return (pattern ? split(spaced, pattern, 'Isolated') : [spaced]).map(toByteAlphabet);
  };
}

function metaspace(step: Step): PreTokenizer {
  const replacement = textOf(step, 'replacement');
  // Files before prepend_scheme say false where nothing is put before.
  const scheme = step.add_prefix_space === false ? 'never' : textOf(step, 'prepend_scheme', 'always').toLowerCase();
  if (!['always', 'first', 'never'].includes(scheme))
    throw new FileFormatError(
      `the pre_tokenizer Metaspace has the prepend_scheme ${scheme}; it is always, first or never`,
    );
  const cuts = flagOf(step, 'split', true) ? patternOf({ String: replacement }) : undefined;
  return (text, atStart) => {
    let spaced = text.replaceAll(' ', replacement);
    if (!spaced.startsWith(replacement) && (scheme === 'always' || (scheme === 'first' && atStart)))
      spaced = replacement + spaced;
    return cuts ? split(spaced, cuts, 'MergedWithNext') : [spaced];
  };
}

function fixedLength(step: Step): PreTokenizer {
  const length = step.length ?? 5;
  if (!Number.isSafeInteger(length) || (length as number) < 1)
    throw new FileFormatError(`the pre_tokenizer FixedLength has the length ${String(length)}; it is at least 1`);
  return (text) => {
    const points = [...text];
    return Array.from({ length: Math.ceil(points.length / (length as number)) }, (_, index) =>
      points.slice(index * (length as number), (index + 1) * (length as number)).join(''),
    );
  };
}

function behaviorOf(step: Step, otherwise: Behavior): Behavior {
  const name = textOf(step, 'behavior', otherwise);
  const found = BEHAVIORS.find((each) => each.toLowerCase() === name.toLowerCase().replaceAll('_', ''));
  if (found) return found;
  throw new FileFormatError(`the step ${step.type} has the behavior ${name}; it is one of ${BEHAVIORS.join(', ')}`);
}
