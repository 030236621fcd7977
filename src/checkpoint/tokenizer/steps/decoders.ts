import { UnsupportedError } from '../../../errors.ts';
import { bytesOfToken } from './byte-alphabet.ts';
import { patternOf, replaced } from './patterns.ts';
import { flagOf, innerSteps, type Step, textOf } from './read-step.ts';

/** Tokens to parts of a text, which are joined at the end. */
export type Decoder = (tokens: readonly string[]) => string[];

/**
 * What a decoder of tokenizer.json does to tokens, as the Python package `tokenizers` 0.23 does it.
 * Throws UnsupportedError naming a type that is not known, FileFormatError for a field that is missing.
 */
export function decoder(step: Step): Decoder {
  switch (step.type) {
    case 'Sequence': {
      const steps = innerSteps(step, 'decoders').map(decoder);
      return (tokens) => steps.reduce<string[]>((parts, apply) => apply(parts), [...tokens]);
    }
    case 'ByteLevel':
      return (tokens) => [lossy(tokens.flatMap(bytesOfToken))];
    case 'ByteFallback':
      return byteFallback;
    case 'Metaspace':
      return metaspace(step);
    case 'Replace': {
      const pattern = patternOf(step.pattern);
      const content = textOf(step, 'content');
      return (tokens) => tokens.map((token) => replaced(token, pattern, content));
    }
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Strip':
      return strip(textOf(step, 'content', ' '), count(step.start), count(step.stop));
    case 'WordPiece': {
      const prefix = textOf(step, 'prefix', '##');
      const cleans = flagOf(step, 'cleanup', true);
      return (tokens) =>
        tokens.map((token, index) => {
          const glued = index === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
          return cleans ? cleanUp(glued) : glued;
        });
    }
    case 'BPEDecoder': {
      const suffix = textOf(step, 'suffix', '</w>');
      return (tokens) => tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? '' : ' '));
    }
    case 'CTC':
      return ctc(step);
    default:
      throw new UnsupportedError(`the decoder ${step.type} is not supported`);
  }
}

const lossyDecoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

function lossy(bytes: readonly number[]): string {
  return lossyDecoder.decode(Uint8Array.from(bytes));
}

/** Runs of byte tokens become text where they are UTF-8, else one replacement character for each. */
function byteFallback(tokens: readonly string[]): string[] {
  const parts: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    try {
      parts.push(strictDecoder.decode(Uint8Array.from(run)));
    } catch {
      parts.push(...run.map(() => '\ufffd'));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) run.push(Number.parseInt(byte, 16));
    else {
      flush();
      parts.push(token);
    }
  }
  flush();
  return parts;
}

function metaspace(step: Step): Decoder {
  const replacement = textOf(step, 'replacement');
  const never = step.add_prefix_space === false || textOf(step, 'prepend_scheme', 'always').toLowerCase() === 'never';
  return (tokens) => tokens.map((token, index) => token.replaceAll(replacement, index === 0 && !never ? '' : ' '));
}

function strip(content: string, start: number, stop: number): Decoder {
  return (tokens) =>
    tokens.map((token) => {
      const points = [...token];
      let from = 0;
      while (from < Math.min(start, points.length) && points[from] === content) from += 1;
      let to = points.length;
      while (points.length - to < stop && to > from && points[to - 1] === content) to -= 1;
      return points.slice(from, to).join('');
    });
}

function count(value: unknown): number {
  return typeof value === 'number' && value > 0 ? value : 0;
}

function ctc(step: Step): Decoder {
  const pad = textOf(step, 'pad_token', '<pad>');
  const delimiter = textOf(step, 'word_delimiter_token', '|');
  const cleans = flagOf(step, 'cleanup', true);
  return (tokens) =>
    tokens
      .filter((token, index) => index === 0 || token !== tokens[index - 1])
      .map((token) => token.replaceAll(pad, ''))
      .map((token) => (cleans ? cleanUp(token).replaceAll(delimiter, ' ') : token))
      .filter((token) => token !== '');
}

/** The Python package's rules for English punctuation: what becomes what, in this order. */
const PUNCTUATION = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [' do not', " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

const cleanUp = (text: string, rules: readonly (readonly [string, string])[] = PUNCTUATION): string =>
  rules.reduce((cleaned, [from, to]) => cleaned.replaceAll(from, to), text);

const IN_TRANSFORMERS = PUNCTUATION.filter(([from]) => from !== ' do not');

/** The rules that transformers applies to a decoded text where tokenizer_config.json asks for clean_up_tokenization_spaces. */
export function cleanUpSpaces(text: string): string {
  return cleanUp(text, IN_TRANSFORMERS);
}
