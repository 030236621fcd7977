import { UnsupportedError } from '../../../errors.ts';
import { isRecord, type JsonRecord } from '../../files/json.ts';
import { listOf, mergeOf } from './parts.ts';

/** New ids by old ones: the kept tokens in the order of their old ids. */
export function renumbering(kept: readonly number[]): ReadonlyMap<number, number> {
  return new Map(kept.map((id, index) => [id, index]));
}

/** tokenizer.json with the kept tokens only, under their new ids: the same steps before and after the model, the merges that still make something. */
export function trimmedTokenizer(tokenizer: JsonRecord, newIds: ReadonlyMap<number, number>): JsonRecord {
  const model = tokenizer.model as JsonRecord;
  return {
    ...tokenizer,
    added_tokens: listOf(tokenizer.added_tokens).map((token) => ({ ...token, id: newIds.get(Number(token.id)) })),
    post_processor: renumbered(tokenizer.post_processor, newIds),
    model: model.type === 'Unigram' ? trimmedUnigram(model, newIds) : trimmedPairs(model, newIds),
  };
}

function trimmedPairs(model: JsonRecord, newIds: ReadonlyMap<number, number>): JsonRecord {
  const entries = Object.entries(model.vocab as JsonRecord).flatMap(([text, id]): [string, number][] => {
    const found = newIds.get(Number(id));
    return found === undefined ? [] : [[text, found]];
  });
  const kept = new Set(entries.map(([text]) => text));
  const merges = (model.merges as unknown[]).filter((merge) => {
    const [left, right] = mergeOf(merge);
    return kept.has(left) && kept.has(right) && kept.has(left + right);
  });
  // Without a prototype, so that a token named __proto__ is one entry like any other.
  return { ...model, vocab: Object.assign(Object.create(null) as object, Object.fromEntries(entries)), merges };
}

function trimmedUnigram(model: JsonRecord, newIds: ReadonlyMap<number, number>): JsonRecord {
  const vocab = (model.vocab as unknown[]).filter((_, id) => newIds.has(id));
  const unknown = model.unk_id;
  return { ...model, vocab, unk_id: typeof unknown === 'number' ? newIds.get(unknown) : unknown };
}

/** The ids in a post-processor: special tokens around a text. */
function renumbered(processor: unknown, newIds: ReadonlyMap<number, number>): unknown {
  if (!isRecord(processor)) return processor;
  if (Array.isArray(processor.processors))
    return { ...processor, processors: processor.processors.map((each: unknown) => renumbered(each, newIds)) };
  if (processor.type === 'TemplateProcessing' && isRecord(processor.special_tokens)) {
    const special = Object.entries(processor.special_tokens).map(([name, token]) => {
      const ids = isRecord(token) && Array.isArray(token.ids) ? (token.ids as unknown[]) : [];
      return [name, { ...(token as JsonRecord), ids: ids.map((id) => newIds.get(Number(id))) }];
    });
    return { ...processor, special_tokens: Object.fromEntries(special) as JsonRecord };
  }
  if (processor.type === 'RobertaProcessing' || processor.type === 'BertProcessing') {
    const pair = (value: unknown) =>
      Array.isArray(value) ? [value[0] as unknown, newIds.get(Number(value[1]))] : value;
    return { ...processor, sep: pair(processor.sep), cls: pair(processor.cls) };
  }
  return processor;
}

/**
 * Token ids in a config.json or generation_config.json: every field whose name ends with `_token_id` or `_token_ids`, and lists of tokens to suppress. Throws UnsupportedError for a
 * list of forced tokens by position, whose meaning another vocabulary does not keep.
 */
export function trimmedIds(config: JsonRecord, newIds: ReadonlyMap<number, number>): JsonRecord {
  const renamed = (value: unknown): unknown => {
    if (Array.isArray(value)) return (value as unknown[]).flatMap((id) => newIds.get(Number(id)) ?? []);
    if (typeof value !== 'number' || value < 0) return value;
    return newIds.get(value) ?? null;
  };
  if (config.forced_decoder_ids || config.bad_words_ids)
    throw new UnsupportedError(
      'The generation settings force or forbid sequences of tokens, which a smaller vocabulary may not have. Remove bad_words_ids and forced_decoder_ids from generation_config.json, or keep the vocabulary.',
    );
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      /_token_ids?$|^(begin_)?suppress_tokens$/.test(key) ? renamed(value) : value,
    ]),
  );
}

/** tokenizer_config.json with the ids of its added tokens. */
export function trimmedTokenizerConfig(config: JsonRecord, newIds: ReadonlyMap<number, number>): JsonRecord {
  const { added_tokens_decoder: decoder } = config;
  if (!isRecord(decoder)) return config;
  const entries = Object.entries(decoder).flatMap(([id, token]): [string, unknown][] => {
    const found = newIds.get(Number(id));
    return found === undefined ? [] : [[String(found), token]];
  });
  return { ...config, added_tokens_decoder: Object.fromEntries(entries) };
}
