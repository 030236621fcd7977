// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import type { Engine } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { freshState, press, render, until } from '../../testing/render.tsx';
import { ImportancePanel } from './panel.tsx';

const SCORES = syntheticScores({ layers: 3, attentionGroups: 2, neurons: 8 });
let engine: Engine;
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

let page: Awaited<ReturnType<typeof render>>;
let finish = () => {};
beforeEach(async () => {
  const known = fakeEngine();
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  engine = fakeEngine({
    openModel: async (source) => ({ ...(await known.openModel(source)), layers: SCORES.groups }),
    async score(_request, { onLayer } = {}) {
      for (const layer of [2, 1]) onLayer?.(layer, SCORES.layers[layer] ?? { attention: {}, mlp: {} });
      await finished;
      return SCORES;
    },
  });
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
