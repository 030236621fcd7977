import { describe, expect, test } from 'vitest';
import { createTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { FileFormatError, MismatchError, UsageError } from '../errors.ts';
import { readTask } from './tasks.ts';
import { TaskEncoder } from './tasks-encode.ts';
import { packGroups, packMask } from './tasks-packing.ts';
import { exactMcNemar, pairedComparison } from './tasks-paired.ts';
import { promptFormat } from './tasks-prompts.ts';
import { judgeTask } from './tasks-result.ts';

const file = (text: string, name = 'quiz.jsonl') => ({ name, bytes: new TextEncoder().encode(text) });
const line = (item: unknown) => `${JSON.stringify(item)}\n`;

describe('readTask', () => {
  const item = { query: 'Q', choices: ['a', 'b'], gold: 1 };
  test('reads items in order, up to the limit, named after the file', () => {
    const text = `${line(item)}\n${line({ ...item, query: 'R', extra: 1 })}not read`;
    expect(readTask(file(text), 2)).toEqual({ name: 'quiz', items: [item, { ...item, query: 'R' }] });
  });
  test.each([
    ['not JSON', '{"query"', /quiz\.jsonl, line 1, is not valid JSON/],
    ['no query', line({ choices: ['a', 'b'], gold: 0 }), /line 1, has no "query"/],
    ['one choice', line({ ...item, choices: ['a'] }), /"choices" must be an array of at least 2/],
    ['a choice that is no text', line({ ...item, choices: ['a', 1] }), /"choices"/],
    ['gold beyond the choices', line({ ...item, gold: 2 }), /"gold" is 2; .* 0 to 1/],
    ['gold that is no number', line({ ...item, gold: '1' }), /"gold" is "1"/],
  ])('refuses %s, naming the line', (_, text, message) => {
    expect(() => readTask(file(text))).toThrow(FileFormatError);
    expect(() => readTask(file(text))).toThrow(message);
  });
  test('refuses a file without items', () => expect(() => readTask(file('\n'))).toThrow(UsageError));
});

test.each([
  ['arc_easy', 'Question: Why?', ['Heat'], 'Question: Why?\nAnswer:', [' Heat']],
  ['arc_easy', 'Question: Why?\nAnswer:', ['Heat'], 'Question: Why?\nAnswer:', [' Heat']],
  ['piqa', 'Question: dresser\n', ['paint it'], 'Question: dresser\nAnswer:', [' paint it']],
  ['boolq', 'Passage: A tax.\nQuestion: is it?', ['no', 'yes'], 'A tax.\nQuestion: is it?\nAnswer:', [' no', ' yes']],
  ['hellaswag', 'Roof: A man sits. he', ['jumps [x] off.'], 'Roof: A man sits. He', [' jumps off.']],
  ['hellaswag', 'Roof: A man sits. he sees a BMW', ['pass.'], 'Roof: A man sits. He sees a bmw', [' pass.']],
  ['hellaswag', 'Roof: A man sits. He jumps.', ['He [title] falls.'], 'Roof: A man sits. He jumps.', [' He. falls.']],
  ['openbook_qa', 'Fog is near', ['a marsh'], 'Fog is near', [' a marsh']],
  ['copa', 'It rained, therefore', ['The floor got wet.'], 'It rained therefore', ['  the floor got wet.']],
  ['anything', 'It rained, therefore', ['The floor'], 'It rained, therefore', [' The floor']],
])('prompts of %s are as lm-evaluation-harness writes them', (name, query, choices, context, continuations) => {
  expect(promptFormat(name)({ query, choices, gold: 0 })).toMatchObject({ context, continuations });
});

/** A byte-level toy: letters, a space, a newline, and merges that join a space with a letter and 'a' with 'b'. */
function toyTokenizer(addsBos: boolean): Tokenizer {
  const words = ['<s>', 'u', 'a', 'b', 'c', 'Ġ', 'Ċ', 'Ġa', 'Ġb', 'ab', '</s>'];
  const special = (id: number, content: string) => ({
    id,
    content,
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  });
  return createTokenizer({
    name: 'toy',
    tokenizer: {
      model: {
        type: 'BPE',
        unk_token: 'u',
        merges: ['Ġ a', 'Ġ b', 'a b'],
        vocab: Object.fromEntries(words.map((word, id) => [word, id])),
      },
      added_tokens: [special(0, '<s>'), special(10, '</s>')],
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      decoder: { type: 'ByteLevel' },
      ...(addsBos
        ? {
            post_processor: {
              type: 'TemplateProcessing',
              single: [
                { SpecialToken: { id: '<s>', type_id: 0 } },
                { Sequence: { id: 'A', type_id: 0 } },
                { SpecialToken: { id: '</s>', type_id: 0 } },
              ],
              pair: [],
              special_tokens: {
                '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
                '</s>': { id: '</s>', ids: [10], tokens: ['</s>'] },
              },
            },
          }
        : {}),
    },
    tokenizerConfig: { bos_token: '<s>', eos_token: '</s>' },
    config: { vocab_size: words.length },
    generationConfig: {},
  });
}

describe('TaskEncoder', () => {
  const prompt = (context: string, continuations: readonly string[]) => ({
    context,
    continuations,
    choices: continuations,
  });
  const encode = (context: string, continuations: readonly string[], { addsBos = false, maximum = 100 } = {}) =>
    new TaskEncoder(toyTokenizer(addsBos), maximum).encode(prompt(context, continuations), 'item 3');

  test('a space before a choice becomes part of its first token', () => {
    expect(encode('cc', [' a', ' ba']).groups).toEqual([{ context: [4, 4], continuations: [[7], [8, 2]] }]);
  });
  test('white space at the end of the context is moved to the choices', () => {
    expect(encode('cc ', ['a', 'b'])).toEqual(encode('cc', [' a', ' b']));
    expect(encode('c\n', ['a']).groups[0]).toEqual({ context: [4], continuations: [[6, 2]] });
  });
  test('a choice is what follows as many tokens as the context alone has, even when a token spans the boundary', () => {
    // 'ca' + 'bc' is [c, ab, c]; the context alone is [c, a].
    expect(encode('ca', ['bc']).groups[0]).toEqual({ context: [4, 2], continuations: [[4]] });
    // 'cab' is [c, ab]: the choice has disappeared, and is taken alone.
    expect(encode('ca', ['b']).groups[0]).toEqual({ context: [4, 2], continuations: [[3]] });
    expect(() => encode('ca', [''])).toThrow(/item 3: the tokenizer has no token for choice 0/);
  });
  test('special tokens stand in front once and never between context and choice', () => {
    expect(encode('cc', [' a'], { addsBos: true }).groups).toEqual([{ context: [0, 4, 4], continuations: [[7]] }]);
    // A text that begins with the BOS gets no second one; its encoder has seen another text first.
    const encoder = new TaskEncoder(toyTokenizer(true), 100);
    encoder.encode(prompt('cc', [' a']), 'item 0');
    expect(encoder.encode(prompt('<s>cc', [' a']), 'item 1').groups).toEqual([
      { context: [0, 4, 4], continuations: [[7]] },
    ]);
  });
  test('an empty context is the BOS', () =>
    expect(encode('', ['a', 'b']).groups).toEqual([{ context: [0], continuations: [[2], [3]] }]));
  test('what is too long loses the beginning of its context, choice by choice', () => {
    const { groups, places } = encode('cabc', [' a', ' ba', ' b'], { maximum: 4 });
    expect(groups).toEqual([{ context: [4, 9, 4], continuations: [[7], [8, 2], [8]] }]);
    expect(places.map(({ index }) => index)).toEqual([0, 1, 2]);
    const cut = encode('cabc', [' a', ' ba', ' b'], { maximum: 3 });
    expect(cut.groups).toEqual([
      { context: [4, 9, 4], continuations: [[7], [8]] },
      { context: [9, 4], continuations: [[8, 2]] },
    ]);
    expect(cut.places).toEqual([
      { group: 0, index: 0 },
      { group: 1, index: 0 },
      { group: 0, index: 1 },
    ]);
    // Of a choice longer than the model only the end is scored.
    expect(encode('c', [' bcc'], { maximum: 2 }).groups).toEqual([{ context: [8], continuations: [[4, 4]] }]);
  });
});

describe('packing', () => {
  const groups = [
    { context: [1, 2], continuations: [[3], [4, 5, 6]] },
    {
      context: [7, 8, 9],
      continuations: [
        [10, 11],
        [12, 13],
      ],
    },
  ];
  test('every token sees exactly its own sequence, at its own positions', () => {
    const [pack] = packGroups(groups, 32);
    if (!pack) throw new Error('no pack');
    expect([...pack.tokenIds.slice(0, 9)]).toEqual([7, 8, 9, 10, 12, 1, 2, 4, 5]);
    expect([...pack.positions.slice(0, 9)]).toEqual([0, 1, 2, 3, 3, 0, 1, 2, 3]);
    const mask = packMask(pack);
    const tokens = pack.tokenIds.length;
    const seen = (row: number) => [...pack.tokenIds].filter((_, key) => mask[row * tokens + key] === 0);
    expect(tokens).toBe(16);
    expect([0, 3, 4, 6, 8].map(seen)).toEqual([[7], [7, 8, 9, 10], [7, 8, 9, 12], [1, 2], [1, 2, 4, 5]]);
    expect(Array.from({ length: tokens - 9 }, (_, padding) => seen(9 + padding))).toEqual(
      Array.from({ length: tokens - 9 }, () => [0]),
    );
    const windowed = packMask(pack, 2);
    expect([...pack.tokenIds].filter((_, key) => windowed[4 * tokens + key] === 0)).toEqual([9, 12]);
  });
  test('each scored token is predicted by the token before it', () => {
    const packs = packGroups(groups, 4);
    expect(packs).toHaveLength(2);
    const found = packs.flatMap((pack) =>
      pack.scored.map(({ row, target, group, continuation }) => [group, continuation, pack.tokenIds[row], target]),
    );
    expect(found).toEqual([
      [1, 0, 9, 10],
      [1, 0, 10, 11],
      [1, 1, 9, 12],
      [1, 1, 12, 13],
      [0, 0, 2, 3],
      [0, 1, 2, 4],
      [0, 1, 4, 5],
      [0, 1, 5, 6],
    ]);
  });
});

test('a task is judged by log-likelihood, and by log-likelihood per byte', () => {
  const items = [
    { query: 'Q', choices: ['ab', 'é'], gold: 1 },
    { query: 'Q', choices: ['abcd', 'ab'], gold: 0 },
    { query: 'Q', choices: ['a', 'b', 'c', 'd'], gold: 3 },
  ];
  const result = judgeTask({ name: 'quiz', items }, [
    [-2, -1.5],
    [-3, -2],
    [-1, -1, -2, -3],
  ]);
  expect(result).toMatchObject({ predictions: [1, 1, 0], predictionsNormalized: [1, 0, 0], items: 3, unscored: 0 });
  expect(result.accuracy).toBeCloseTo(1 / 3);
  expect(result.accuracyNormalized).toBeCloseTo(2 / 3);
  // sqrt(p (1 - p) / (n - 1))
  expect(result.standardError).toBeCloseTo(Math.sqrt(1 / 3 / 3));
  expect(result.chance).toBeCloseTo((0.5 + 0.5 + 0.25) / 3);
  expect(result.margins).toEqual([0.5, -1, -2]);
  expect(result.margin).toBeCloseTo(-2.5 / 3);
  expect(result.marginStandardError).toBeCloseTo(Math.sqrt((0.25 + 1 + 4 - 2.5 ** 2 / 3) / 2 / 3));
  expect(judgeTask({ name: 'quiz', items }, [[Number.NaN, Number.NaN], [], []])).toMatchObject({
    predictions: [-1, -1, -1],
    margins: [0, 0, 0],
    unscored: 2,
  });
});

test('two results on the same items are compared in pairs', () => {
  const first = [1, 1, 1, 1, 0, 0, 1, 0];
  const second = [0, 0, 0, 1, 0, 1, 1, 0];
  const paired = pairedComparison(first, second);
  expect(paired).toMatchObject({ difference: 0.25, onlyFirst: 3, onlySecond: 1 });
  // 2 (C(4,0) + C(4,1)) / 16
  expect(paired.pValue).toBeCloseTo(0.625);
  // Differences 1, 1, 1, -1 and four zeros: squares sum to 4, mean 0.25.
  expect(paired.standardError).toBeCloseTo(Math.sqrt((4 - 8 * 0.0625) / 7 / 8));
  // scipy.stats.binomtest(30, 100).pvalue
  expect(exactMcNemar(70, 30)).toBeCloseTo(7.850138e-5, 10);
  expect(exactMcNemar(0, 0)).toBe(1);
  expect(() => pairedComparison([1], [1, 0])).toThrow(MismatchError);
});
