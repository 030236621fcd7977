import { isRecord, type JsonRecord } from '../checkpoint/files/json.ts';
import { quote } from '../checkpoint/weights.ts';

/** How ONNX Runtime GenAI takes a tokenizer's rule for words: as it is, by another rule, or not at all; `what` names the part that it does not know. */
export type GenaiWords = { readonly kind: 'same' } | { readonly kind: 'other' | 'refused'; readonly what: string };

const UPPER = '[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]';
const LOWER = '[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]';
const CASELESS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const BEFORE = '[^\\r\\n\\p{L}\\p{N}]?';

/**
 * Alternatives of a regular expression that its tokenizer (onnxruntime-extensions, as in onnxruntime-genai 0.18) computes itself, longer ones before those they contain. What is left of an expression without them goes to
 * the regular expressions of C++, which have no classes of Unicode.
 */
const KNOWN = [
  `${BEFORE}${UPPER}*${LOWER}+${CASELESS}?`,
  `${BEFORE}${UPPER}+${LOWER}*${CASELESS}?`,
  `${BEFORE}${UPPER}*${LOWER}+`,
  `${BEFORE}${UPPER}+${LOWER}*`,
  "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
  CASELESS,
  "'s|'t|'re|'ve|'m|'ll|'d",
  `${BEFORE}\\p{L}+`,
  `${BEFORE}[\\p{L}\\p{M}]+`,
  '\\p{N}{1,3}',
  ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*',
  ' ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*',
  ' ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*',
  '\\s*[\\r\\n]+',
  ' ?\\p{L}+| ?\\p{N}+',
  ' ?[^\\s\\p{L}\\p{N}]+',
  '\\s+(?!\\S)|\\s+',
  '\\p{N}',
];

/**
 * What ONNX Runtime GenAI makes of the rule by which a byte-level tokenizer.json cuts a text into words, found by taking the rule apart: it knows GPT-2's, and regular expressions made of alternatives that it lists. Other
 * kinds of vocabularies have no such rule and are 'same'.
 */
export function genaiWords(tokenizer: JsonRecord): GenaiWords {
  const { model } = tokenizer;
  if (!isRecord(model) || (model.type ?? 'BPE') !== 'BPE' || model.byte_fallback === true) return { kind: 'same' };
  const steps = stepsOf(tokenizer.pre_tokenizer);
  const splits = steps.filter(({ type }) => type === 'Split');
  for (const step of splits) {
    const pattern = isRecord(step.pattern) ? step.pattern.Regex : undefined;
    const rest = typeof pattern === 'string' ? remainder(pattern) : undefined;
    if (rest !== undefined && /\\[pP]\{|\(\?[^:=!]/.test(rest))
      return { kind: 'refused', what: `the part \`${rest}\`` };
    if (rest !== '') return { kind: 'other', what: rest === undefined ? 'a fixed text' : `the part \`${rest}\`` };
    if (step.invert === true || step.behavior !== 'Isolated')
      return { kind: 'other', what: `the behaviour ${quote(String(step.behavior))}` };
  }
  const unknown = steps.find(({ type }) => type !== 'Split' && type !== 'ByteLevel');
  if (unknown) return { kind: 'other', what: `the step ${quote(String(unknown.type))}` };
  const cuts = splits.length > 0 || steps.some(({ use_regex: cutsWords }) => cutsWords !== false);
  return cuts ? { kind: 'same' } : { kind: 'other', what: 'a vocabulary without a rule for words' };
}

/** One sentence where ONNX Runtime GenAI does not encode text as the tokenizer does; undefined where it does. */
export function genaiWordsNote(words: GenaiWords): string | undefined {
  if (words.kind === 'same') return undefined;
  const effect =
    words.kind === 'refused'
      ? 'cannot read this tokenizer’s rule for words'
      : 'cuts text into words by another rule than this tokenizer, and some texts get other tokens';
  return `ONNX Runtime GenAI ${effect}: it does not know ${words.what}. Encode and decode with the tokenizers package, as its sample in README.md does, and give it token ids.`;
}

/** The special token that tokenizer.json puts before every text: ONNX Runtime GenAI's tokenizer leaves it out, whatever the files say. */
export function textBeginning({ post_processor: processor }: JsonRecord): string | undefined {
  const steps = isRecord(processor) && Array.isArray(processor.processors) ? processor.processors : [processor];
  for (const step of steps as unknown[]) {
    if (!isRecord(step) || !Array.isArray(step.single)) continue;
    const [first] = step.single as unknown[];
    if (isRecord(first) && isRecord(first.SpecialToken)) return String(first.SpecialToken.id);
  }
  return undefined;
}

/** One sentence where a prompt for ONNX Runtime GenAI has to begin with a token that other programs put there. */
export function beginningNote(beginning: string | undefined): string | undefined {
  return beginning === undefined
    ? undefined
    : `ONNX Runtime GenAI puts no \`${beginning}\` before a text, which this model expects there: begin prompts with it, as its sample in README.md does.`;
}

function stepsOf(step: unknown): JsonRecord[] {
  if (!isRecord(step)) return [];
  return Array.isArray(step.pretokenizers) ? step.pretokenizers.flatMap((each: unknown) => stepsOf(each)) : [step];
}

/** An expression without the alternatives that are known. */
function remainder(expression: string): string {
  let rest = expression;
  for (const part of KNOWN) {
    const found = `|${rest}|`.indexOf(`|${part}|`);
    if (found < 0) continue;
    const [before, after] = [rest.slice(0, Math.max(0, found - 1)), rest.slice(found + part.length + 1)];
    rest = [before, after].filter((each) => each !== '').join('|');
  }
  return rest;
}
