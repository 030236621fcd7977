import { FileFormatError, UnsupportedError } from '../../errors.ts';
import { isRecord, type JsonRecord } from '../files/json.ts';
import { quote } from '../weights.ts';

/** The largest vocabularies have some 260,000 entries; ids index arrays, so a wild id is refused. */
const LARGEST_ID = (1 << 22) - 1;

/**
 * Checks the parts of tokenizer.json that sizes and loops depend on, before a tokenizer is built of it.
 * Throws FileFormatError naming the field, UnsupportedError for a model type that no language model of ours uses.
 */
export function checkTokenizerJson(tokenizer: JsonRecord, file: string): void {
  const { model, added_tokens: added = [] } = tokenizer;
  if (!isRecord(model))
    throw new FileFormatError(`${file} has no "model". Take the tokenizer.json that transformers saves.`);
  const type = modelType(model);
  if (type === 'BPE') checkBytePairs(model, file);
  else if (type === 'Unigram') checkUnigram(model, file);
  else if (type === 'WordPiece' || type === 'WordLevel') checkVocabulary(model.vocab, file);
  else
    throw new UnsupportedError(
      `${file} has the model type ${quote(String(type))}; supported are BPE, Unigram, WordPiece and WordLevel. Choose a model with one of these.`,
    );
  if (!Array.isArray(added))
    throw new FileFormatError(
      `${file}: "added_tokens" is not an array. Take the tokenizer.json that transformers saves.`,
    );
  for (const token of added as unknown[]) {
    if (!isRecord(token) || typeof token.content !== 'string' || token.content === '')
      throw new FileFormatError(
        `${file}: an added token has no content. Take the tokenizer.json that transformers saves.`,
      );
    checkId(token.id, token.content, file);
  }
  for (const part of ['normalizer', 'pre_tokenizer', 'decoder', 'post_processor'])
    checkSteps(tokenizer[part], part, file, 0);
}

/** The type of a model; files written before `type` existed are told apart by their fields. */
export function modelType(model: JsonRecord): unknown {
  if (model.type !== undefined) return model.type;
  if (model.merges !== undefined) return 'BPE';
  return Array.isArray(model.vocab) ? 'Unigram' : isRecord(model.vocab) ? 'WordPiece' : undefined;
}

function checkId(id: unknown, token: string, file: string): void {
  if (Number.isInteger(id) && (id as number) >= 0 && (id as number) <= LARGEST_ID) return;
  throw new FileFormatError(
    `${file}: token ${quote(token)} has the id ${String(id)}; ids are integers from 0 to ${LARGEST_ID}.`,
  );
}

function checkVocabulary(vocabulary: unknown, file: string): void {
  if (!isRecord(vocabulary))
    throw new FileFormatError(
      `${file}: "model.vocab" is not an object of tokens and ids. Take the tokenizer.json that transformers saves.`,
    );
  for (const [token, id] of Object.entries(vocabulary)) checkId(id, token, file);
}

function checkBytePairs({ vocab, merges }: JsonRecord, file: string): void {
  checkVocabulary(vocab, file);
  if (!Array.isArray(merges))
    throw new FileFormatError(
      `${file}: "model.merges" is not an array. Take the tokenizer.json that transformers saves.`,
    );
  for (const merge of merges as unknown[]) {
    const isPair =
      Array.isArray(merge) && merge.length === 2 && typeof merge[0] === 'string' && typeof merge[1] === 'string';
    if (!isPair && !(typeof merge === 'string' && merge.includes(' '))) {
      throw new FileFormatError(
        `${file}: "model.merges" has the entry ${quote(JSON.stringify(merge))}; entries are pairs of tokens. Take the tokenizer.json that transformers saves.`,
      );
    }
  }
}

function checkUnigram({ vocab, unk_id: unknownId }: JsonRecord, file: string): void {
  if (!Array.isArray(vocab) || vocab.length === 0 || vocab.length > LARGEST_ID)
    throw new FileFormatError(
      `${file}: "model.vocab" is not an array of tokens and scores. Take the tokenizer.json that transformers saves.`,
    );
  for (const entry of vocab as unknown[]) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number') {
      throw new FileFormatError(
        `${file}: "model.vocab" has an entry that is not a token with its score. Take the tokenizer.json that transformers saves.`,
      );
    }
  }
  if (
    unknownId !== undefined &&
    unknownId !== null &&
    !(Number.isInteger(unknownId) && (unknownId as number) >= 0 && (unknownId as number) < vocab.length)
  ) {
    throw new FileFormatError(
      `${file}: "model.unk_id" is ${String(unknownId)}; the vocabulary has ${vocab.length} entries. Take the tokenizer.json that transformers saves.`,
    );
  }
}

/** Lists of steps that hold lists of steps: bounded in depth; a step that could loop forever is refused. */
function checkSteps(step: unknown, part: string, file: string, depth: number): void {
  if (depth > 16)
    throw new FileFormatError(
      `${file}: "${part}" is nested more than 16 deep. Take the tokenizer.json that transformers saves.`,
    );
  if (step === null || step === undefined) return;
  if (!isRecord(step) || typeof step.type !== 'string')
    throw new FileFormatError(
      `${file}: "${part}" has a step without a type. Take the tokenizer.json that transformers saves.`,
    );
  if (
    step.pattern !== undefined &&
    !(isRecord(step.pattern) && (typeof step.pattern.Regex === 'string' || typeof step.pattern.String === 'string'))
  ) {
    throw new FileFormatError(
      `${file}: the ${part} step ${step.type} has a pattern that is neither a Regex nor a String. Take the tokenizer.json that transformers saves.`,
    );
  }
  for (const list of ['normalizers', 'pretokenizers', 'decoders', 'processors']) {
    const inner = step[list];
    if (Array.isArray(inner)) for (const each of inner as unknown[]) checkSteps(each, part, file, depth + 1);
  }
}
