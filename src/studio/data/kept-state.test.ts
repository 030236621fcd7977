import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INITIAL_RECIPE } from '../features/plan/slice.ts';
import { checkedState } from './kept-state.ts';

const INITIAL = {
  recipe: INITIAL_RECIPE,
  past: [] as unknown[],
  chosenModel: { kind: 'embedded', id: 'stories' },
  themeChoice: 'system',
  measureWindows: 16,
  autoMeasure: true,
  comparedMethods: ['random'],
  recoverRates: { groupWise: 0.1, lora: 0.01 },
  cursor: undefined,
  setView: () => undefined,
};

describe('checkedState', () => {
  it('takes what an earlier visit left', () => {
    const kept = {
      ...{ recipe: { ...INITIAL_RECIPE, seed: 7 }, past: [INITIAL_RECIPE], chosenModel: { kind: 'hub', name: 'a/b' } },
      ...{ themeChoice: 'dark', measureWindows: 4, autoMeasure: false, comparedMethods: ['wanda'] },
      recoverRates: { groupWise: 0.2, lora: 0.02 },
    };
    expect(checkedState(structuredClone(kept), INITIAL)).toEqual(kept);
  });

  it('leaves out what is none of the values that a field may have', () => {
    const kept = {
      ...{
        themeChoice: 'mauve',
        measureWindows: Number.NaN,
        autoMeasure: 'no',
        comparedMethods: ['loudness', 'wanda'],
      },
      ...{ chosenModel: { kind: 'files', key: 3 }, recoverRates: { groupWise: 'fast' }, setView: 'x', unknown: 1 },
      recipe: { ...INITIAL_RECIPE, metric: 'loudness' },
    };
    expect(checkedState(kept, INITIAL)).toEqual({
      comparedMethods: ['wanda'],
      recipe: INITIAL_RECIPE,
    });
  });

  it('never throws', () => {
    const names = fc.constantFrom(...Object.keys(INITIAL));
    fc.assert(fc.property(fc.dictionary(names, fc.jsonValue()), (kept) => void checkedState(kept, INITIAL)));
    fc.assert(fc.property(fc.jsonValue(), (kept) => void checkedState(kept, INITIAL)));
  });
});
