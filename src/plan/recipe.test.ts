import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileFormatError } from '../errors.ts';
import {
  choicesOf,
  parseChoices,
  parseRecipe,
  RECIPE_ENTRIES,
  RECIPE_FIELDS,
  type Recipe,
  usualChoices,
} from './recipe.ts';
import { recipeDifferences, recipeSettings, recipeWords } from './recipe-words.ts';

const RECIPE: Required<Recipe> = {
  model: { name: 'org/model', revision: 'main', sha256: 'ab' },
  calibration: { source: 'text.txt', sha256: 'cd', windows: 64, length: 128, seed: 1 },
  metric: 'element-second+fisher',
  fusionScope: 'layer',
  fusion: 'geometric',
  search: 'global',
  target: { kind: 'memory', value: 9e6, context: 256 },
  gamma: 0.25,
  stability: -1,
  balance: { attention: 2, depth: -0.5 },
  minimumAttentionGroups: 2,
  minimumNeurons: 16,
  protect: [0, 5],
  compensate: 'bias',
  dtype: 'q8',
  roundTo: 8,
  shape: 'uniform',
  experts: 'whole',
  vocabulary: '0.5',
  seed: 3,
  asked: 'at least 40 tokens per second',
  measured: { loss: 2.5, evaluations: 9 },
  passes: 4,
};

describe('the fields of a recipe', () => {
  it('are all here, read back as they were, in the order of the file', () => {
    expect(Object.keys(RECIPE)).toEqual(Object.keys(RECIPE_FIELDS));
    const shuffled = Object.fromEntries(Object.entries(RECIPE).reverse());
    expect(JSON.stringify(parseRecipe(shuffled, 'plan.json'))).toBe(JSON.stringify(RECIPE));
  });

  it.each(RECIPE_ENTRIES.map(([name]) => name))('%s is refused by name when it is something else', (name) => {
    const read = () => parseRecipe({ ...RECIPE, [name]: true }, 'plan.json');
    expect(read).toThrow(FileFormatError);
    expect(read).toThrow(`plan.json: recipe.${name} is true; it must be `);
    const { [name]: _, ...rest } = RECIPE;
    if (RECIPE_FIELDS[name].isRequired)
      expect(() => parseRecipe(rest, 'plan.json')).toThrow(`recipe.${name} is missing`);
    else expect(parseRecipe(rest, 'plan.json')).toEqual(rest);
  });

  it.each<[object, string]>([
    [{ gamma: -1 }, 'recipe.gamma is -1; it must be a number, 0 or more.'],
    [{ stability: 20 }, 'recipe.stability is 20; it must be a number from -16 to 16.'],
    [{ balance: { attention: 0 } }, 'recipe.balance.attention is 0; it must be above 0.'],
    [{ minimumNeurons: 0 }, 'recipe.minimumNeurons is 0; it must be a whole number, 1 or more.'],
    [{ compensate: 'most' }, 'recipe.compensate is "most"; it must be "none" or "bias" or "least-squares".'],
    [
      { target: { kind: 'memory', value: 1 } },
      'recipe.target.context is missing; it must be a whole number, 0 or more.',
    ],
  ])('have domains: %j', (change, sentence) => {
    expect(() => parseRecipe({ ...RECIPE, ...change }, 'plan.json')).toThrow(sentence);
  });
});

describe('choices', () => {
  it('are carried without what nobody chooses, and each is left out where it is damaged', () => {
    const { model, calibration, measured, passes, asked, ...chosen } = RECIPE;
    expect([model, calibration, measured, passes, asked]).not.toContain(undefined);
    expect(choicesOf(RECIPE)).toEqual(chosen);
    expect(parseChoices(RECIPE)).toEqual(chosen);
    expect(parseChoices({ ...RECIPE, gamma: 'much', protect: [-1] })).toEqual({
      ...chosen,
      gamma: undefined,
      protect: undefined,
    });
    expect(
      parseChoices(JSON.parse('{"constructor":1,"toString":{},"__proto__":{"gamma":1},"hasOwnProperty":[]}')),
    ).toEqual({});
    expect(parseChoices(Object.create({ gamma: 1 }))).toEqual({});
  });

  it('never throw, and hold only what a recipe may hold', () => {
    const anything = fc.dictionary(
      fc.constantFrom(...Object.keys(RECIPE_FIELDS), 'valueOf', 'constructor'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), anything), (value) => {
        const choices = parseChoices(value);
        expect(parseRecipe({ ...RECIPE, ...choices }, 'link')).toEqual({ ...RECIPE, ...choices });
      }),
    );
  });

  it('have usual values, which pass the test of their own field', () => {
    expect(usualChoices()).toMatchObject({ search: 'tempered', roundTo: 4, dtype: 'f32', seed: 0 });
    expect(parseChoices(usualChoices())).toEqual(usualChoices());
  });
});

describe('a recipe in words', () => {
  it('tells what is unusual, once', () => {
    expect(recipeWords(usualChoices())).toEqual([]);
    expect(recipeWords({ ...usualChoices(), protect: [] })).toEqual([]);
    expect(recipeWords({ gamma: 1, stability: 1, minimumNeurons: 8, minimumAttentionGroups: 2 })).toEqual([
      'tuned',
      'own minimums',
    ]);
    expect(recipeWords({ gamma: 1, protect: [3], roundTo: 8, measured: { loss: 1, evaluations: 2 } })).toEqual([
      'refined',
      '1 layer whole',
      'steps of 8',
    ]);
  });

  it('tells every field but the model', () => {
    const settings = new Map(recipeSettings(RECIPE).map(({ name, value }) => [name, value]));
    expect(settings.size).toBe(Object.keys(RECIPE).length - 1);
    expect(Object.fromEntries(settings)).toMatchObject({
      Calibration: '64 windows of 128 tokens of text.txt, seed 1',
      Target: 'memory 9000000 at 256 tokens',
      'Layers that stay whole': '0, 5',
      Balance: 'attention 2, depth -0.5',
      Passes: '4, scored anew after each',
    });
  });

  it('tells two apart by what was chosen', () => {
    const other = { ...RECIPE, gamma: 0.5, passes: 2, protect: [] };
    expect(recipeDifferences(RECIPE, other)).toEqual([
      { name: 'Gamma', first: '0.25', second: '0.5' },
      { name: 'Layers that stay whole', first: '0, 5', second: 'not set' },
    ]);
    const { dtype: _, ...unsaid } = { ...RECIPE, dtype: 'f32' as const };
    expect(recipeDifferences(unsaid, { ...unsaid, dtype: 'f32' })).toEqual([]);
  });
});
