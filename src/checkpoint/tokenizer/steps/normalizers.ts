import { UnsupportedError } from '../../../errors.ts';
import { toByteAlphabet } from './byte-alphabet.ts';
import { patternOf, replaced, WHITE_SPACE } from './patterns.ts';
import { precompiledNormalizer } from './precompiled-charsmap.ts';
import { flagOf, innerSteps, type Step, textOf } from './read-step.ts';

export type Normalizer = (text: string) => string;

/**
 * What a normalizer of tokenizer.json does to a text, as the Python package `tokenizers` 0.23 does it.
 * Throws UnsupportedError naming a type that is not known, FileFormatError for a field that is missing.
 */
export function normalizer(step: Step): Normalizer {
  switch (step.type) {
    case 'Sequence': {
      const steps = innerSteps(step, 'normalizers').map(normalizer);
      return (text) => steps.reduce((current, apply) => apply(current), text);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = step.type;
      return (text) => text.normalize(form);
    }
    case 'Lowercase':
      return lowercase;
    case 'Strip':
      return strip(flagOf(step, 'strip_left', true), flagOf(step, 'strip_right', true));
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Prepend': {
      const prefix = textOf(step, 'prepend');
      return (text) => (text === '' ? '' : prefix + text);
    }
    case 'Replace': {
      const pattern = patternOf(step.pattern);
      const content = textOf(step, 'content');
      return (text) => replaced(text, pattern, content);
    }
    case 'ByteLevel':
      return toByteAlphabet;
    case 'Nmt':
      return nmt;
    case 'Precompiled':
      return precompiledNormalizer(textOf(step, 'precompiled_charsmap'));
    case 'BertNormalizer':
      return bert(step);
    default:
      throw new UnsupportedError(`the normalizer ${step.type} is not supported`);
  }
}

/** Character by character: a Σ at the end of a word becomes σ, as everywhere. */
function lowercase(text: string): string {
  let result = '';
  for (const character of text) result += character.toLowerCase();
  return result;
}

function strip(left: boolean, right: boolean): Normalizer {
  const start = /^\p{White_Space}+/u;
  return (text) => {
    const stripped = left ? text.replace(start, '') : text;
    if (!right) return stripped;
    let end = stripped.length;
    while (end > 0 && WHITE_SPACE.test(stripped[end - 1] ?? '')) end -= 1;
    return stripped.slice(0, end);
  };
}

const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;
/** Control characters that stay; U+0000 is among them. */
const NMT_KEPT = /[\0\u0080-\u008e\u0090-\u009e]/;

function nmt(text: string): string {
  return text.replace(NMT_SPACES, ' ').replace(/\p{Cc}/gu, (character) => (NMT_KEPT.test(character) ? character : ''));
}

/** The ranges are BERT's own; the one that begins at U+2B920 is the Python package's. */
const HAN =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/gu;
const BERT_REMOVED = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}]/gu;

function bert(step: Step): Normalizer {
  const lowers = flagOf(step, 'lowercase', true);
  const stripsAccents = flagOf(step, 'strip_accents', lowers);
  const cleans = flagOf(step, 'clean_text', true);
  const spacesHan = flagOf(step, 'handle_chinese_chars', true);
  return (text) => {
    let result = text;
    if (cleans) result = result.replace(BERT_REMOVED, '').replace(/\p{White_Space}/gu, ' ');
    if (spacesHan) result = result.replace(HAN, ' $& ');
    if (stripsAccents) result = result.normalize('NFD').replace(/\p{Mn}/gu, '');
    return lowers ? lowercase(result) : result;
  };
}
