import { isRecord, type JsonRecord } from '../../files/json.ts';

/** Fields of config.json and generation_config.json that hold ids of tokens which a model is run with: its beginning, its ends, its padding. */
const NAMED = /_token_ids?$/;

/** Token ids that files name, each with what names it: configs, and the tokens that the post-processor puts around a text. */
export function namedIds(tokenizer: JsonRecord, configs: Readonly<Record<string, JsonRecord>>): Map<number, string> {
  const found = new Map<number, string>();
  const add = (id: unknown, where: string) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && !found.has(id)) found.set(id, where);
  };
  for (const [file, config] of Object.entries(configs))
    for (const [key, value] of Object.entries(config))
      if (NAMED.test(key))
        for (const id of Array.isArray(value) ? (value as unknown[]) : [value]) add(id, `${key} of ${file}`);
  addProcessor(tokenizer.post_processor, add);
  return found;
}

function addProcessor(processor: unknown, add: (id: unknown, where: string) => void): void {
  if (!isRecord(processor)) return;
  const where = 'the template of tokenizer.json that is put around a text';
  if (Array.isArray(processor.processors))
    for (const each of processor.processors as unknown[]) addProcessor(each, add);
  if (isRecord(processor.special_tokens))
    for (const token of Object.values(processor.special_tokens))
      if (isRecord(token) && Array.isArray(token.ids)) for (const id of token.ids as unknown[]) add(id, where);
  for (const pair of [processor.sep, processor.cls]) if (Array.isArray(pair)) add(pair[1], where);
}
