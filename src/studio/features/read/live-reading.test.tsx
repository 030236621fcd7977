// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../../worker/engine.ts';
import { type Asked, fakeEngine } from '../../testing/fake-engine.ts';
import { change, freshState, pass, render, until } from '../../testing/render.tsx';
import { ReadPanel } from './panel.tsx';
import { useLiveReading } from './use-live-reading.ts';

let engine: Engine & { readonly asked: Asked[] };
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

function Reader() {
  useLiveReading();
  return <ReadPanel />;
}

const rested = () => pass(300);
const generated = () => engine.asked.filter(({ call }) => call === 'generate').map(({ ratio }) => ratio > 0);

describe('texts while the slider moves', () => {
  let page: Awaited<ReturnType<typeof render>>;
  const text = (side: string) => page.element.querySelector(`[data-pane="${side}"] .pane-text`)?.textContent;

  beforeEach(async () => {
    engine = fakeEngine();
    freshState();
    page = await render(<Reader />);
    await until(() => expect(text('dense')).toBe('loved the garden'));
  });
  afterEach(() => page.end());

  it('writes with the pruned model first, then with the dense one, and marks where they part', () => {
    expect(generated()).toEqual([true, false]);
    expect(text('pruned')).toBe('loved a wall');
    expect(text('dense')).toBe('loved the garden');
    expect(page.element.querySelector('.diverged')?.textContent).toBe(' a wall');
  });

  it('calls no speed what one text took: tokens are counted until models were measured in turns', () => {
    const feet = [...page.element.querySelectorAll('.pane-foot')].map((foot) => foot.textContent);
    expect(feet).toEqual(['3 tokens · differs from token 2', '3 tokens']);
  });

  it('writes the pruned text anew when the hand rests, and not at every move; the dense one stays', async () => {
    for (const ratio of [0.25, 0.3, 0.35]) await change(({ setRatio }) => setRatio(ratio));
    expect(generated()).toHaveLength(2);
    await until(() => expect(generated()).toEqual([true, false, true]));
    expect(engine.asked.at(-1)?.ratio).toBeCloseTo(0.35, 1);
    expect(page.element.querySelector('[data-pane="pruned"] h3')?.textContent).toMatch(/^Pruned, 3\d/);
  });

  it('puts both texts away at once when the prompt changes, and writes them for the new one later', async () => {
    await change(({ setPrompt }) => setPrompt('The gardener'));
    expect(text('pruned')).toBe('Nothing written yet.');
    expect(text('dense')).toBe('Nothing written yet.');
    expect(generated()).toHaveLength(2);
    await until(() => expect(generated()).toEqual([true, false, true, false]));
  });

  it('leaves the engine to what the reader started', async () => {
    await change(({ beginTask, setRatio }) => {
      beginTask('score');
      setRatio(0.4);
    });
    await rested();
    expect(generated()).toHaveLength(2);
    await change(({ endTask }) => endTask('score'));
    await until(() => expect(generated()).toHaveLength(3));
  });

  it('does not write by itself where the reader turned that off', async () => {
    await change(({ setGenerate, setRatio }) => {
      setGenerate({ autoRead: false });
      setRatio(0.5);
    });
    await rested();
    expect(generated()).toHaveLength(2);
  });
});

it('says why a text could not be written', async () => {
  engine = fakeEngine({ generate: () => Promise.reject(new Error('The device is gone.')) });
  freshState();
  const page = await render(<Reader />);
  await until(() => expect(page.element.querySelector('[role="alert"]')?.textContent).toBe('The device is gone.'));
  await page.end();
});
