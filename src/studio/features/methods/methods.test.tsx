// @vitest-environment happy-dom
import { expect, it, vi } from 'vitest';
import type { Engine } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { change, freshState, press, render, until } from '../../testing/render.tsx';
import { SideBySide } from './panel.tsx';

const asked: string[] = [];
const engine: Engine = fakeEngine({
  compareCell: async ({ method, ratio, seed }) => {
    asked.push(`${method} ${ratio} ${seed}`);
    const perplexity = (method.startsWith('random') ? 8 : 5) + seed;
    const measured = { perplexity, standardError: 0.1, tokens: 127, klDivergence: 0.25, top1Agreement: 0.5 };
    const size = { reachedRatio: ratio, parameters: 800_000, removedParameters: 200_000, seconds: 1 };
    return { method, ratio, seed, ...size, texts: { text: measured }, perplexity, standardError: 0.1 };
  },
});
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

it('holds methods side by side over seeds, and measures only what is new', async () => {
  freshState();
  const page = await render(<SideBySide />);
  await change(({ setSide }) =>
    setSide({
      sideMethods: ['random', 'saap'],
      sideRatios: '30',
      sideSeeds: '0, 2',
      sideRepair: '+bias',
      sideTraining: '+lora',
    }),
  );
  await until(() => expect(page.element.querySelector('button.primary')?.hasAttribute('disabled')).toBe(false));
  await press(page.element, 'Hold side by side');
  const lines = () => [...page.element.querySelectorAll('tbody tr')].map(({ textContent }) => textContent);
  await until(() => expect(lines()).toHaveLength(2));
  await until(() => expect(useStudio.getState().tasks.comparison).toBeUndefined());
  // The best first; the spread between seeds 0 and 2.
  expect(lines()).toEqual([
    'saap+bias+lora, 30%800.0 k6.00 ± 1.000.25050%2',
    'random+bias+lora, 30%800.0 k9.00 ± 1.000.25050%2',
  ]);
  await change(({ setSide }) => setSide({ sideSeeds: '0, 2, 4' }));
  await press(page.element, 'Measure 2 more');
  await until(() => expect(asked).toHaveLength(6));
  expect(asked.slice(4)).toEqual(['random+bias+lora 0.3 4', 'saap+bias+lora 0.3 4']);
  await change(({ setSide }) => setSide({ sideRatios: '95' }));
  expect(page.element.querySelector('[aria-invalid="true"]')?.getAttribute('aria-describedby')).not.toBeNull();
  expect(page.element.textContent).toContain('at most 80');
  await page.end();
});
