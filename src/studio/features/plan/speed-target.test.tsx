// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Engine } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { freshState, press, render, until } from '../../testing/render.tsx';
import { SpeedTargetField } from './speed-target.tsx';

let engine: Engine;
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'wasm' }));

const about = (value: number) => ({ value, low: 0.9 * value, high: 1.1 * value });
let page: Awaited<ReturnType<typeof render>>;
let measured: number[];
beforeEach(async () => {
  measured = [];
  engine = fakeEngine({
    // Speed follows what is left.
    async speed(plan) {
      measured.push(plan.ratio);
      const [times, model] = [about(1 + plan.ratio), { prefill: about(200), decode: about(50), bytes: 1e6 }];
      return { dense: model, pruned: model, prefill: times, decode: times, rounds: 8, promptTokens: 64, seconds: 1 };
    },
  });
  freshState();
  useStudio.setState({ autoMeasure: false });
  page = await render(<SpeedTargetField />);
});
afterEach(() => page.end());

const ask = async (tokensPerSecond: number) => {
  const input = page.element.querySelector('input');
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(input, String(tokensPerSecond));
    input?.dispatchEvent(new Event('input', { bubbles: true }));
    input?.dispatchEvent(new Event('focusout', { bubbles: true }));
  });
  await press(page.element, 'Find the ratio');
};

it('reads the ratio from a curve that is measured once, and says what it did', async () => {
  await ask(65);
  await until(() => expect(page.element.textContent).toContain('removed for 65 tokens per second'));
  const { target } = useStudio.getState().recipe;
  expect(target.kind).toBe('ratio');
  expect(target.value).toBeCloseTo(0.3, 2);
  expect(page.element.textContent).toMatch(/the whole model writes 50\.0 here, and measured were ×1\.\d\d at \d+/);
  expect(measured).toHaveLength(3);
  await ask(60);
  await until(() => expect(useStudio.getState().recipe.target.value).toBeCloseTo(0.2, 2));
  expect(measured).toHaveLength(3);
});

it('says what can be had where that is too much, and where the whole model is fast enough', async () => {
  await ask(500);
  await until(() => expect(page.element.textContent).toContain('the fastest that was measured here'));
  await ask(10);
  await until(() =>
    expect(page.element.textContent).toContain('The whole model writes 50.0 tokens per second here already'),
  );
  expect(useStudio.getState().recipe.target).toEqual({ kind: 'ratio', value: 0.2 });
});
