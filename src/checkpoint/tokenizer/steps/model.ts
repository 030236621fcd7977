import { UnsupportedError } from '../../../errors.ts';
import type { JsonRecord } from '../../files/json.ts';
import { modelType } from '../tokenizer-json.ts';
import { bytePairs } from './byte-pairs.ts';
import { unigram } from './unigram.ts';
import type { TokenModel } from './vocabulary.ts';
import { wholeWords, wordPieces } from './words.ts';

/** The model of a checked tokenizer.json. Throws UnsupportedError for an unknown type. */
export function tokenModel(model: JsonRecord): TokenModel {
  const type = modelType(model);
  switch (type) {
    case 'BPE':
      return bytePairs(model);
    case 'Unigram':
      return unigram(model);
    case 'WordPiece':
      return wordPieces(model);
    case 'WordLevel':
      return wholeWords(model);
    default:
      throw new UnsupportedError(`the model type ${String(type)} is not supported`);
  }
}
