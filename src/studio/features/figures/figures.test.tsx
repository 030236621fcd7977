// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../../worker/engine.ts';
import { formatPerplexity } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { type Asked, fakeEngine, fakePerplexity } from '../../testing/fake-engine.ts';
import { change, freshState, render, until } from '../../testing/render.tsx';
import { ratioKey } from '../compare/sweep.ts';
import { useSweep } from '../compare/use-sweep.ts';
import { Figures } from './panel.tsx';

let engine: Engine & { readonly asked: Asked[] };
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

function Bench() {
  useSweep();
  return <Figures />;
}

describe('the four figures', () => {
  let page: Awaited<ReturnType<typeof render>>;
  beforeEach(async () => {
    engine = fakeEngine();
    freshState();
    page = await render(<Bench />);
  });
  afterEach(() => page.end());

  const figure = (name: RegExp) =>
    [...page.element.querySelectorAll('dl > div')]
      .find((line) => name.test(line.querySelector('dt')?.textContent ?? ''))
      ?.querySelector('dd')?.textContent;

  it('says what share of all parameters the ratio is', () => {
    expect(page.element.querySelector('.headline')?.textContent).toMatch(
      /^20%\s+of prunable weights.* = \d[\d.]*% of the parameters$/,
    );
  });

  it('has the number format of the source', async () => {
    expect(figure(/^File/)).toMatch(/kB|MB/);
    await until(() => expect(page.element.querySelector('dl')?.textContent).toContain('File, f16'));
  });

  it('shows what is measured, and keeps an estimate through every change after that', async () => {
    expect(figure(/^Perplexity/)).toMatch(/^–/);
    await until(() => expect(engine.asked.some(({ ratio }) => ratio > 0.45)).toBe(true));
    const at = engine.asked.find(({ call, ratio }) => call === 'evaluate' && ratio > 0)?.ratio ?? Number.NaN;
    expect(figure(/^Perplexity/)).toContain(formatPerplexity(fakePerplexity(at)));
    expect(figure(/^Perplexity/)).not.toContain('≈');
    expect(figure(/^Perplexity/)).toContain(`KL ${at.toFixed(3)} ± 0.010`);
    await until(() => expect(figure(/^Speed/)).toContain('×1.30'));
    expect(figure(/^Speed/)).toContain('1.17–1.43');
    await change(({ setRatio }) => setRatio(0.33));
    expect(figure(/^Perplexity/)).toMatch(/^≈ \d.*KL ≈ \d/);
    expect(figure(/^Speed/)).toContain('≈ ×');
    await change(({ changeRecipe }) => changeRecipe({ metric: 'magnitude-l2' }));
    expect(figure(/^Perplexity/)).toMatch(/^≈ \d.*from the recipe before$/);
    expect(figure(/^Speed/)).toMatch(/^≈ ×\d.*from the recipe before$/);
  });

  it('shows the speed as far as it is known while it is measured', async () => {
    const about = (value: number) => ({ value, low: 0.9 * value, high: 1.1 * value });
    await until(() => expect(engine.asked.some(({ ratio }) => ratio > 0)).toBe(true));
    const ratio = ratioKey(engine.asked.find((asked) => asked.ratio > 0)?.ratio ?? Number.NaN);
    await change(({ setMeasure }) => setMeasure({ autoMeasure: false, speedTokens: 5 }));
    const soFar = { decode: about(1.2), prefill: about(1), rounds: 4, confidence: 0.875, ratio };
    await change(({ setMeasure }) => setMeasure({ speedSoFar: soFar }));
    expect(figure(/^Speed/)).toBe('≈ ×1.20 1.08–1.32 · 4 rounds');
  });

  it('says why there is no plan, in the place of the figures', async () => {
    await change(({ changeRecipe }) => changeRecipe({ protect: [0, 1, 2] }));
    expect(page.element.querySelector('[role="alert"]')?.textContent).toMatch(/protect fewer layers/);
    await change(({ undo }) => undo());
    expect(page.element.querySelector('[role="alert"]')).toBeNull();
  });

  it('has presets that set the ratio and say what they cost', async () => {
    await until(() => expect(engine.asked.some(({ ratio }) => ratio > 0.45)).toBe(true));
    const preset = [...page.element.querySelectorAll('button')].find((button) =>
      button.textContent?.startsWith('Small'),
    );
    await until(() => expect(preset?.getAttribute('aria-label')).toMatch(/^Small: 35%, perplexity ×\d/));
    await change(() => preset?.click());
    expect(useStudio.getState().recipe.target).toEqual({ kind: 'ratio', value: 0.35 });
    expect(preset?.getAttribute('aria-pressed')).toBe('true');
  });
});
