import type { JsonRecord } from '../files/json.ts';

/** A special token with its id. */
export interface SpecialToken {
  readonly id: number;
  readonly content: string;
}

/** The post-processor of tokenizer.json that puts one special token before every text and one after it; null where there are none. */
export function specialTemplate(before: SpecialToken | undefined, after: SpecialToken | undefined): JsonRecord | null {
  const used = [before, after].filter((token) => token !== undefined);
  if (used.length === 0) return null;
  const special = (token: SpecialToken | undefined, type: number) =>
    token ? [{ SpecialToken: { id: token.content, type_id: type } }] : [];
  const around = (name: string, type: number) => [
    ...special(before, type),
    { Sequence: { id: name, type_id: type } },
    ...special(after, type),
  ];
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries(
      used.map(({ id, content }) => [content, { id: content, ids: [id], tokens: [content] }]),
    ),
  };
}
