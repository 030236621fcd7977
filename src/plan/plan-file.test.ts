import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FileFormatError, MismatchError } from '../errors.ts';
import { syntheticScores } from '../importance/testing/synthetic-scores.ts';
import { makePlan } from './make-plan.ts';
import { checkPlanFits, decodePlan, decodePlanFor, encodePlan, keptParameters, parsePlan } from './plan-file.ts';
import type { PlanOptions } from './plan-options.ts';

const scores = syntheticScores({ layers: 4, attentionGroups: 2, neurons: 24 });
const options: PlanOptions = {
  target: { kind: 'ratio', value: 0.3 },
  protect: [1],
  gamma: 0.4,
  balance: { attention: 0.5 },
  roundTo: 4,
  compensate: 'bias',
  dtype: 'f16',
  seed: 7,
};
const plan = makePlan(scores, options);
const json = () =>
  JSON.parse(new TextDecoder().decode(encodePlan(plan))) as Record<string, unknown> & {
    layers: { attention: unknown; mlp: unknown }[];
    recipe: Record<string, unknown>;
  };

describe('plan.json', () => {
  it('comes back as it was, byte for byte', () => {
    expect(decodePlan(encodePlan(plan))).toEqual(plan);
    expect(encodePlan(decodePlan(encodePlan(plan)))).toEqual(encodePlan(plan));
    const depth = makePlan(scores, { target: { kind: 'ratio', value: 0.25 }, search: 'depth', metric: 'depth' });
    expect(decodePlan(encodePlan(depth))).toEqual(depth);
    const memory = makePlan(scores, { target: { kind: 'memory', value: 190_000, context: 64 } });
    expect(decodePlan(encodePlan(memory)).recipe).toEqual(memory.recipe);
  });

  it('carries the recipe, so that the plan can be made again from the scores', () => {
    const { model: _, calibration: __, ...recipe } = decodePlan(encodePlan(plan)).recipe;
    expect(makePlan(scores, recipe)).toEqual(plan);
  });

  it.each<[string, (value: ReturnType<typeof json>) => unknown]>([
    ['holds a number where an object is expected', () => 3],
    ['"espalier-plan/1" is expected', (value) => ({ ...value, format: 'espalier-plan/2' })],
    ['ratio is -1', (value) => ({ ...value, ratio: -1 })],
    ['parametersAfter is "many"', (value) => ({ ...value, parametersAfter: 'many' })],
    ['the plan says "vocabulary", which is not known', (value) => ({ ...value, vocabulary: [3, 4] })],
    [
      'layers[0] has "experts", which is not known and would be left out; known are attention, convolution, mlp',
      (value) => ({ ...value, layers: [{ attention: [0], mlp: [1], experts: [0] }] }),
    ],
    ['layers is missing', (value) => ({ ...value, layers: undefined })],
    ['layers[0].mlp has 3 after 3', (value) => ({ ...value, layers: [{ attention: [0], mlp: [3, 3] }] })],
    ['layers[0].mlp starts with -1', (value) => ({ ...value, layers: [{ attention: [0], mlp: [-1] }] })],
    ['layers[0].attention starts with 0.5', (value) => ({ ...value, layers: [{ attention: [0.5], mlp: [1] }] })],
    [
      'layers[0].mlp is empty and the other list is not',
      (value) => ({ ...value, layers: [{ attention: [1], mlp: [] }] }),
    ],
    ['layers[1].mlp is missing', (value) => ({ ...value, layers: [{ attention: [0], mlp: [1] }, { attention: [0] }] })],
    ['recipe is missing', (value) => ({ ...value, recipe: null })],
    ['recipe.search is 4; it must be text', (value) => ({ ...value, recipe: { ...value.recipe, search: 4 } })],
    [
      'recipe.dtype is "f8"; it must be "f32" or "f16"',
      (value) => ({ ...value, recipe: { ...value.recipe, dtype: 'f8' } }),
    ],
    [
      'recipe.target.kind is "share"',
      (value) => ({ ...value, recipe: { ...value.recipe, target: { kind: 'share', value: 1 } } }),
    ],
    [
      'recipe.target.context is missing',
      (value) => ({ ...value, recipe: { ...value.recipe, target: { kind: 'memory', value: 1 } } }),
    ],
    ['recipe.protect is [0.5]', (value) => ({ ...value, recipe: { ...value.recipe, protect: [0.5] } })],
  ])('refuses: %s', (message, change) => {
    const bytes = new TextEncoder().encode(JSON.stringify(change(json())));
    expect(() => decodePlan(bytes, 'plan.json')).toThrow(FileFormatError);
    expect(() => decodePlan(bytes, 'plan.json')).toThrow(message);
  });

  it('refuses any other JSON with the same class of error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(() => parsePlan(value)).toThrow(FileFormatError);
      }),
    );
    const bytes = encodePlan(plan);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (position, byte) => {
        const damaged = bytes.slice();
        damaged[position] = byte;
        try {
          decodePlan(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(FileFormatError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('fits its model and no other', () => {
    checkPlanFits(plan, scores.groups);
    expect(() => checkPlanFits(plan, scores.groups.slice(1))).toThrow(MismatchError);
    const narrow = syntheticScores({ layers: 4, attentionGroups: 2, neurons: 12 });
    expect(() => checkPlanFits(plan, narrow.groups)).toThrow(/keeps mlp group 2[0-3] of layer \d, which has 12 groups/);
  });

  it('keeps neurons alone only where a layer has nothing else to keep', () => {
    const layers = plan.layers.map((layer, index) => (index === 1 ? { ...layer, attention: [] } : layer));
    expect(() => checkPlanFits({ ...plan, layers }, scores.groups)).toThrow(
      /keeps no attention group of layer 1 and \d+ neurons/,
    );
    const groups = scores.groups.map((each, index) =>
      index === 1 ? { ...each, attention: { groups: 0, parametersPerGroup: 0 } } : each,
    );
    checkPlanFits({ ...plan, layers }, groups);
  });

  it('is read for a model from format and layers alone, and its sizes are the model’s', () => {
    const model = { parameters: scores.model.parameters, groups: scores.groups };
    const bytes = (value: object) => new TextEncoder().encode(JSON.stringify(value));
    const { format, layers } = plan;
    const { recipe, ...sizes } = decodePlanFor(bytes({ format, layers }), model);
    expect(recipe).toMatchObject({ metric: 'given', search: 'given', target: { kind: 'ratio', value: plan.ratio } });
    const { recipe: own, ...expected } = plan;
    expect(sizes).toEqual(expected);
    expect(decodePlanFor(bytes({ ...plan, ratio: 0.9, parametersAfter: 1 }), model)).toEqual({
      ...expected,
      recipe: own,
    });
    const changed = (mlp: unknown) => () =>
      decodePlanFor(
        bytes({ format, layers: layers.map((layer, i) => (i === 2 ? { ...layer, mlp } : layer)) }),
        model,
        'p',
      );
    expect(changed([3, 1])).toThrow('p: layers[2].mlp has 1 after 3');
    expect(changed([3, 3])).toThrow('p: layers[2].mlp has 3 after 3');
    expect(changed([3, 24])).toThrow('The plan keeps mlp group 24 of layer 2, which has 24 groups (0 to 23).');
    expect(() => decodePlanFor(bytes({ layers }), model)).toThrow('"espalier-plan/1" is expected');
    expect(() => decodePlanFor(bytes({ format, layers: layers.slice(1) }), model)).toThrow(MismatchError);
    expect(() => decodePlanFor(bytes({ format, layers, recipe: 3 }), model)).toThrow(
      'recipe is missing or not an object',
    );
  });

  it('counts what it keeps', () => {
    expect(scores.model.parameters - plan.parametersAfter).toBe(
      4 * (2 * 4096 + 24 * 192) - keptParameters(plan.layers, scores.groups),
    );
  });
});
