// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import type { Engine, ScoreRequest } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { change, freshState, press, render, until } from '../../testing/render.tsx';
import { ImportancePanel } from './panel.tsx';

const SCORES = syntheticScores({ layers: 3, attentionGroups: 2, neurons: 8 });
let engine: Engine;
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

const asked: ScoreRequest[] = [];
let page: Awaited<ReturnType<typeof render>>;
let finish = () => {};
beforeEach(async () => {
  const known = fakeEngine();
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  engine = fakeEngine({
    openModel: async (source) => ({ ...(await known.openModel(source)), layers: SCORES.groups }),
    sample: async () => 'What I was trained on.',
    async score(request, { onLayer } = {}) {
      asked.push(request);
      for (const layer of [2, 1]) onLayer?.(layer, SCORES.layers[layer] ?? { attention: {}, mlp: {} });
      await finished;
      return SCORES;
    },
  });
  asked.length = 0;
  freshState();
  useStudio.setState({ scoresChoice: { kind: 'none' } });
  page = await render(<ImportancePanel />);
});
afterEach(() => page.end());

it('shows the layers that a run has done, and the whole map with its plan when it is over', async () => {
  expect(page.element.textContent).toContain('No scores yet');
  await until(() => expect(page.element.querySelector('.unscored button')?.hasAttribute('disabled')).toBe(false));
  await press(page.element, 'Score with 64 windows of 128 tokens');
  await until(() => expect(page.element.textContent).toContain('2 of 3 layers'));
  expect(page.element.querySelector('[role="application"]')?.getAttribute('aria-label')).toContain('3 layers');
  expect(page.element.textContent).not.toContain('hatched = goes');
  finish();
  await until(() => expect(page.element.textContent).toContain('hatched = goes'));
  expect(useStudio.getState().scoredLayers.size).toBe(0);
});

it('lets a model that is none of ours write the text that it is scored on, or takes our stories', async () => {
  await change(({ chooseModel }) => chooseModel({ kind: 'hub', name: 'org/model' }));
  const ours = 'Score on our stories with 64 windows of 128 tokens';
  await until(() => expect(page.element.querySelector('.unscored button')?.hasAttribute('disabled')).toBe(false));
  expect([...page.element.querySelectorAll('.unscored button')].map(({ textContent }) => textContent)).toContain(ours);
  await press(page.element, 'Let it write a text, and score on that');
  await until(() => expect(asked.map(({ text }) => text)).toEqual(['What I was trained on.']));
  const { calibrationText, recoverText } = useStudio.getState();
  expect(calibrationText).toMatchObject({ kind: 'own', name: 'its own text' });
  expect(recoverText).toBe(calibrationText);
  finish();
  await until(() => expect(page.element.textContent).toContain('hatched = goes'));
});
