// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UsageError } from '../../../errors.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { Engine, MeasuredVocabulary, VocabularyRequest } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { change, freshState, press, render, until } from '../../testing/render.tsx';
import { usePlan, usePlanSummary } from '../plan/use-plan.ts';
import { VocabularyPanel } from './panel.tsx';

let engine: Engine;
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

function Present() {
  const outcome = usePlan();
  const summary = usePlanSummary();
  return <VocabularyPanel plan={outcome?.ok ? outcome.plan : undefined} summary={summary} />;
}

const cost: MeasuredVocabulary = {
  before: { tokens: 1000, tokensPerWord: 1.31, bitsPerByte: 1.1, parameters: 1_000_000 },
  after: { tokens: 250, tokensPerWord: 1.42, bitsPerByte: 1.155, parameters: 750_000 },
  decode: { value: 1.2, low: 1.1, high: 1.3 },
};

let page: Awaited<ReturnType<typeof render>>;
let asked: VocabularyRequest[];
let answer: () => MeasuredVocabulary;
const choose = async (keep: string) => {
  const select = page.element.querySelector('select');
  await act(async () => {
    if (select) select.value = keep;
    select?.dispatchEvent(new Event('change', { bubbles: true }));
  });
};
const text = () => page.element.textContent ?? '';

beforeEach(async () => {
  asked = [];
  answer = () => cost;
  engine = fakeEngine({
    async vocabulary(_plan, request) {
      asked.push(request);
      return answer();
    },
  });
  freshState();
  page = await render(<Present />);
  const key = ['scores', 'precomputed', 'stories'];
  const scores = page.client.getQueryData<Scores>(key);
  if (!scores) throw new Error('There are scores in tests.');
  const { model } = scores;
  const config = { ...model.config, vocab_size: 1000, hidden_size: 64 };
  const parameters = model.parameters + 1000 * 64;
  await act(async () => {
    page.client.setQueryData(key, { ...scores, model: { ...model, config, parameters } });
  });
  await until(() => expect(text()).toContain('Vocabulary100%'));
});
afterEach(() => page.end());

it('stands as one more bar beside attention and MLP', async () => {
  const bars = () => [...page.element.querySelectorAll('.plan-bars li')].map(({ textContent }) => textContent);
  expect(bars()).toHaveLength(3);
  expect(bars()[2]).toMatch(/^Vocabulary100%/);
  await choose('0.25');
  expect(useStudio.getState().recipe.vocabulary).toBe('0.25');
  expect(bars()[2]).toMatch(/^Vocabulary25%/);
  await choose('all');
  expect(useStudio.getState().recipe.vocabulary).toBeUndefined();
});

it('says what it costs once that is measured: words, bits, size and speed', async () => {
  await choose('0.25');
  await press(page.element, 'Measure what it costs');
  await until(() => expect(text()).toContain('1.42 per word instead of 1.31'));
  expect(text()).toContain('1.155 bits per byte instead of 1.100');
  expect(text()).toContain('1.0 MB less in f32');
  expect(text()).toContain('×1.20 (1.10–1.30)');
  expect(asked[0]).toMatchObject({ vocabulary: { keep: '0.25', text: 'A text.' }, windows: 16 });
  // Of another plan nothing is known.
  await change(({ setRatio }) => setRatio(0.4));
  expect(text()).not.toContain('per word');
});

it('says why a size cannot be had', async () => {
  answer = () => {
    throw new UsageError('A vocabulary of 250 tokens is too small.');
  };
  await choose('0.25');
  await press(page.element, 'Measure what it costs');
  await until(() => expect(text()).toContain('250 tokens is too small'));
});

it('keeps a size of a recipe that is none of those offered', async () => {
  await change(({ changeRecipe }) => changeRecipe({ vocabulary: '700' }));
  expect(page.element.querySelector('select')?.value).toBe('700');
});
