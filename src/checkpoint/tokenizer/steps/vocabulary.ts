import { FileFormatError } from '../../../errors.ts';
import { isRecord, type JsonRecord } from '../../files/json.ts';
import { flagOf } from './read-step.ts';

/** The vocabulary of a tokenizer and how it makes ids of a word. */
export interface TokenModel {
  readonly ids: ReadonlyMap<string, number>;
  /** Ids of a word. Throws FileFormatError where a part of it is unknown and the vocabulary has no token for that. */
  encode(word: string): number[];
}

/** Tokens and ids of a vocabulary that is an object. */
export function vocabularyOf(model: JsonRecord): Map<string, number> {
  return new Map(isRecord(model.vocab) ? (Object.entries(model.vocab) as [string, number][]) : []);
}

/** Throws FileFormatError. */
export function refuseUnknown(part: string): never {
  throw new FileFormatError(
    `it has no token for the part ${JSON.stringify(part.slice(0, 40))} of the text, and no unknown token for it`,
  );
}

/** The ids of the byte tokens that stand for a part of a text; undefined where byte fallback is off or one of them is missing. */
export function byteTokens(
  model: JsonRecord,
  ids: ReadonlyMap<string, number>,
): (part: string) => number[] | undefined {
  if (!flagOf(model, 'byte_fallback', false)) return () => undefined;
  const tokens = Array.from({ length: 256 }, (_, byte) =>
    ids.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  const encoder = new TextEncoder();
  return (part) => {
    const found: number[] = [];
    for (const byte of encoder.encode(part)) {
      const id = tokens[byte];
      if (id === undefined) return undefined;
      found.push(id);
    }
    return found;
  };
}
