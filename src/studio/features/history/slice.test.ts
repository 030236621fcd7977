import { describe, expect, it } from 'vitest';
import { createStore } from 'zustand/vanilla';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import { INITIAL_RECIPE } from '../plan/slice.ts';
import { keptRuns, type Run, runLabel } from './run.ts';
import { runDifferences, widthDifferences } from './run-differences.ts';
import { createRunsSlice } from './slice.ts';

const about = (value: number) => ({ value, low: 0.9 * value, high: 1.1 * value });
const model = { prefill: about(1), decode: about(1), bytes: 1 };
const speed = (decode: number) => ({
  ...{ dense: model, pruned: model, prefill: about(1), decode: about(decode) },
  ...{ rounds: 8, promptTokens: 8, seconds: 1 },
});
const run = (id: string, changes: Partial<Run> = {}): Run => ({
  ...{
    id,
    at: 1,
    model: { name: 'm', sha256: 'abc' },
    recipe: INITIAL_RECIPE,
    ratio: 0.2,
    parametersBefore: 1000,
    parametersAfter: 800,
    bytes: 3200,
  },
  widths: [{ attention: 2, attentionGroups: 4, mlp: 50, neurons: 64 }],
  measuredOn: 'text, 4 × 16, wasm',
  perplexity: { perplexity: 20, standardError: 1, tokens: 60, windows: 4, seconds: 1 },
  ...changes,
});
const slice = () => createStore(createRunsSlice);

describe('the history of runs', () => {
  it('has each measured recipe once, the newest first, and takes a speed that is measured later', () => {
    const store = slice();
    store.getState().addRun(run('a'));
    store.getState().addRun(run('b'));
    store.getState().addRun(run('a', { at: 9, speed: speed(2) }));
    store.getState().addRun(run('a'));
    expect(store.getState().runs.map(({ id }) => id)).toEqual(['b', 'a']);
    expect(store.getState().runs[1]).toMatchObject({ at: 1, speed: { decode: { value: 2 } } });
  });

  it('removes a run, brings it back to its place, and does not add it again by itself', () => {
    const store = slice();
    for (const id of ['a', 'b', 'c']) store.getState().addRun(run(id));
    store.getState().pickRun('b');
    store.getState().removeRun('b');
    store.getState().addRun(run('b'));
    expect(store.getState().runs.map(({ id }) => id)).toEqual(['c', 'a']);
    expect(store.getState().pickedRuns).toEqual([]);
    store.getState().bringBackRun();
    store.getState().bringBackRun();
    expect(store.getState().runs.map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });

  it('lays at most two side by side: a third takes the place of the first', () => {
    const store = slice();
    for (const id of ['a', 'b', 'c']) store.getState().pickRun(id);
    expect(store.getState().pickedRuns).toEqual(['b', 'c']);
    store.getState().pickRun('b');
    expect(store.getState().pickedRuns).toEqual(['c']);
  });

  it('adds what was kept behind what is new', () => {
    const store = slice();
    store.getState().addRun(run('new'));
    store.getState().restoreRuns([run('new', { at: 0 }), run('old')]);
    expect(store.getState().runs.map(({ id, at }) => `${id} ${at}`)).toEqual(['new 1', 'old 1']);
  });

  it('keeps a run whose speed was measured without an interval, but not that speed', () => {
    const old = { ...run('a'), speed: { dense: { decodeTokensPerSecond: 3 }, pruned: { decodeTokensPerSecond: 4 } } };
    expect(keptRuns([old])).toEqual([run('a')]);
  });

  it('keeps the groups that were given, and drops what is no plan', () => {
    const scores = syntheticScores({ layers: 2, attentionGroups: 4, neurons: 64 });
    const plan = makePlan(scores, { target: { kind: 'ratio', value: 0.3 }, search: 'global' });
    const given = { plan, from: 'mine.json' };
    const [kept] = keptRuns([run('a', { given })]);
    expect(kept?.given?.plan.layers).toEqual(plan.layers);
    expect(kept && runLabel(kept)).toMatch(/, groups of mine\.json$/);
    expect(keptRuns([{ ...run('a'), given: { plan: { layers: 3 }, from: 'x' } }])).toEqual([run('a')]);
  });

  it('knows a run from leftovers', () => {
    const kept = [run('a'), run('b', { speed: speed(2) })];
    expect(keptRuns(structuredClone(kept))).toEqual(kept);
    expect(keptRuns('leftovers')).toEqual([]);
    for (const other of [
      null,
      7,
      {},
      { ...run('a'), widths: 3 },
      { ...run('a'), ratio: '20%' },
      { ...run('a'), perplexity: undefined },
    ])
      expect(keptRuns([other])).toEqual([]);
  });
});

describe('two runs side by side', () => {
  const change = (second: Partial<Run>, name: string) =>
    runDifferences(run('a'), run('b', second)).find((line) => line.name === name)?.change;

  it('tells how the second differs', () => {
    expect(change({ parametersAfter: 600 }, 'Parameters')).toBe('−25%');
    expect(change({}, 'Parameters')).toBe('the same');
    const divergence = (second: Partial<Run>) =>
      runDifferences(run('a'), run('b', second)).find(({ name }) => name === 'KL from dense')?.second;
    expect(divergence({})).toBe('not measured');
    const measured = { ...run('a').perplexity, klDivergence: 0.25, klStandardError: 0.01 };
    expect(divergence({ perplexity: measured })).toBe('0.250 ± 0.010 nats');
    expect(change({ perplexity: { ...run('a').perplexity, perplexity: 30 } }, 'Perplexity')).toBe('+50%');
    expect(
      widthDifferences(run('a'), run('b', { widths: [{ attention: 3, attentionGroups: 4, mlp: 40, neurons: 64 }] })),
    ).toEqual([{ layer: 0, attention: 1, mlp: -10 }]);
  });

  it('claims no difference within the error, or where it was measured differently', () => {
    expect(change({ perplexity: { ...run('a').perplexity, perplexity: 20.5 } }, 'Perplexity')).toMatch(
      /within the error/,
    );
    expect(
      change({ measuredOn: 'other text', perplexity: { ...run('a').perplexity, perplexity: 30 } }, 'Perplexity'),
    ).toBe('measured differently');
    expect(change({ speed: speed(2) }, 'Decode over dense')).toBe('');
  });

  it('compares speeds over the dense model, and claims nothing where their intervals overlap', () => {
    const decode = (value: number) =>
      runDifferences(run('a', { speed: speed(1.5) }), run('b', { speed: speed(value) })).find(
        ({ name }) => name === 'Decode over dense',
      );
    expect(decode(1.7)).toMatchObject({ first: '×1.50 (1.35–1.65)', change: 'no difference measured' });
    expect(decode(2.4)?.change).toBe('+60%');
  });
});
