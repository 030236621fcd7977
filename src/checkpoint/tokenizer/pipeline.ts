import { isRecord, type JsonRecord } from '../files/json.ts';
import { addedTokens, tokenFinder } from './steps/added-tokens.ts';
import { cleanUpSpaces, decoder } from './steps/decoders.ts';
import { tokenModel } from './steps/model.ts';
import { type Normalizer, normalizer } from './steps/normalizers.ts';
import { postProcessor } from './steps/post-processor.ts';
import { preTokenizer } from './steps/pre-tokenizers.ts';
import { isStep, type Step } from './steps/read-step.ts';

/** A tokenizer.json put to work, as the Python package `tokenizers` does it. */
export interface Pipeline {
  /** Tokens by id; the last one where two share an id. */
  readonly tokens: ReadonlyMap<number, string>;
  idOf(token: string): number | undefined;
  /** Throws FileFormatError where the vocabulary has no token for a part of the text. */
  encode(text: string, addSpecialTokens: boolean): number[];
  decode(ids: readonly number[], skipSpecialTokens: boolean): string;
}

/**
 * Builds the steps of a tokenizer.json that `checkTokenizerJson` has passed. Truncation and padding are left out, as transformers does for a single text.
 * Throws UnsupportedError naming a step that is not known, FileFormatError or SyntaxError for one that is broken.
 * @param cleansSpaces whether decoded text loses the spaces before English punctuation (`clean_up_tokenization_spaces`)
 */
export function pipeline(tokenizer: JsonRecord, cleansSpaces: boolean): Pipeline {
  const stepOf = (part: string): Step | undefined => {
    const step = tokenizer[part];
    return isStep(step) ? step : undefined;
  };
  const build = <T>(part: string, make: (step: Step) => T): T | undefined => {
    const step = stepOf(part);
    return step && make(step);
  };
  const normalize = build('normalizer', normalizer);
  const words = build('pre_tokenizer', preTokenizer);
  const decode = build('decoder', decoder);
  const finish = build('post_processor', postProcessor);
  const model = tokenModel(isRecord(tokenizer.model) ? tokenizer.model : {});
  const added = addedTokens(Array.isArray(tokenizer.added_tokens) ? tokenizer.added_tokens : [], model.ids);
  const special = new Set(added.filter((token) => token.special).map(({ id }) => id));
  const tokens = new Map<number, string>();
  for (const [token, id] of model.ids) tokens.set(id, token);
  const ids = new Map(model.ids);
  // Where a token is looked for in normalised text, that is also what it is decoded to.
  const written = new Map<number, string>();
  for (const { id, content, normalized } of added) {
    tokens.set(id, content);
    ids.set(content, id);
    written.set(id, normalized && normalize ? normalize(content) : content);
  }
  const findGiven = tokenFinder(added.filter((token) => !token.normalized));
  const findNormalized = tokenFinder(
    added.filter((token) => token.normalized),
    normalize,
  );

  const encodeText = (text: string): number[] => {
    const result: number[] = [];
    for (const section of findGiven(text)) {
      if ('id' in section) {
        result.push(section.id);
        continue;
      }
      const normalized = normalize ? normalize(section.text) : section.text;
      const atStart = section.start === 0 && !(normalize && losesStart(section.text, normalized, normalize));
      for (const part of findNormalized(normalized)) {
        if ('id' in part) result.push(part.id);
        else
          for (const word of words ? words(part.text, atStart && part.start === 0) : [part.text])
            for (const id of model.encode(word)) result.push(id);
      }
    }
    return result;
  };
  return {
    tokens,
    idOf: (token) => ids.get(token),
    encode: (text, addSpecialTokens) => {
      const found = encodeText(text);
      return addSpecialTokens && finish ? finish(found) : found;
    },
    decode(all, skipSpecialTokens) {
      const kept = skipSpecialTokens ? all.filter((id) => !special.has(id)) : all;
      const texts = kept.flatMap((id) => written.get(id) ?? tokens.get(id) ?? []);
      const text = decode ? decode(texts).join('') : texts.join(' ');
      return cleansSpaces ? cleanUpSpaces(text) : text;
    },
  };
}

/** Whether a normalizer takes away what a text begins with: what is left does not begin where the text does. */
function losesStart(text: string, normalized: string, normalize: Normalizer): boolean {
  const first = String.fromCodePoint(text.codePointAt(0) ?? 0);
  return text !== '' && normalize(first) === '' && normalize(text.slice(first.length)) === normalized;
}
