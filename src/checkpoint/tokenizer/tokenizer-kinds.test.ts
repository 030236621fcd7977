import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { JsonRecord } from '../files/json.ts';
import { createTokenizer } from './tokenizer.ts';

/** What scripts/fixtures/make_tokenizer_kinds.py writes: ids and texts of the Python package for one small tokenizer of each kind. */
interface Kinds {
  texts: string[];
  models: Record<string, JsonRecord>;
  cases: {
    name: string;
    model: string;
    parts: JsonRecord;
    ids: number[][];
    special: number[];
    decoded: string[] | 'texts';
  }[];
}

const file = process.env.TOKENIZER_KINDS ?? join(import.meta.dirname, '../fixtures/tokenizer-kinds.json');
const { texts, models, cases } = JSON.parse(await readFile(file, 'utf8')) as Kinds;

/** A model, or its base with the named fields laid over it, a token removed and others appended. */
function modelOf(name: string): JsonRecord {
  const { base, without, append, ...fields } = models[name] ?? {};
  if (typeof base !== 'string') return fields;
  const model: JsonRecord = { ...modelOf(base), ...fields };
  if (Array.isArray(append)) return { ...model, vocab: [...(model.vocab as unknown[]), ...(append as unknown[])] };
  if (typeof without !== 'string') return model;
  const { [without]: _, ...vocab } = model.vocab as JsonRecord;
  return { ...model, vocab };
}

describe.each(cases)('$name', ({ model, parts, ids, special, decoded }) => {
  const tokenizer = createTokenizer({
    name: 'small',
    tokenizer: { ...parts, model: modelOf(model) },
    tokenizerConfig: {},
    config: {},
    generationConfig: {},
  });
  test('makes the ids of the Python package', () => {
    const made = texts.map((text) => ({ text, ids: tokenizer.encode(text, { addSpecialTokens: false }) }));
    expect(made).toEqual(texts.map((text, index) => ({ text, ids: ids[index] })));
    expect(tokenizer.encode(texts[3] ?? '')).toEqual(special);
  });
  test('makes the text of the Python package', () => {
    expect(ids.map((each) => tokenizer.decode(each))).toEqual(decoded === 'texts' ? texts : decoded);
  });
});
