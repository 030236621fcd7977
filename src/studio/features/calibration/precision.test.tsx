// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { syntheticScores } from '../../../importance/testing/synthetic-scores.ts';
import type { Engine, ScoreRequest } from '../../../worker/engine.ts';
import { type Asked, fakeEngine } from '../../testing/fake-engine.ts';
import { freshState, press, render, until } from '../../testing/render.tsx';
import { CalibrationPanel } from './panel.tsx';

let engine: Engine & { readonly asked: Asked[] };
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'auto' }));

const asked: ScoreRequest[] = [];
const engineOn = (halfPrecision: boolean) =>
  fakeEngine({
    backend: async () => ({
      ...{ backend: 'webgpu', description: 'a card', reason: undefined, checks: [], lacks: [] },
      halfPrecision,
    }),
    score: async (request) => {
      asked.push(request);
      const scores = syntheticScores({ layers: 3, attentionGroups: 4, neurons: 64 });
      return { ...scores, engine: { ...scores.engine, backend: 'webgpu', precision: 'f16' } };
    },
  });
const fieldOf = (element: HTMLElement) =>
  [...element.querySelectorAll('label')].find(({ textContent }) => textContent?.startsWith('Precision'));

beforeEach(() => {
  freshState();
  asked.length = 0;
});
let page: Awaited<ReturnType<typeof render>>;
afterEach(() => page.end());

test('the precision of scoring is chosen where the device has half, and told with the result', async () => {
  engine = engineOn(true);
  page = await render(<CalibrationPanel />);
  const { element } = page;
  await until(() => expect(fieldOf(element)).toBeDefined());
  const select = fieldOf(element)?.querySelector('select');
  expect(select?.value).toBe('f32');
  await act(async () => {
    if (select) select.value = 'f16';
    select?.dispatchEvent(new Event('change', { bubbles: true }));
  });
  await until(() => expect(element.querySelector<HTMLButtonElement>('button.primary')?.disabled).toBe(false));
  await press(element, 'Score');
  await until(() => expect(asked).toMatchObject([{ precision: 'f16' }]));
  await until(() =>
    expect(element.querySelector('.provenance')?.textContent).toContain('webgpu in half precision, loss'),
  );
});

test('there is no such choice elsewhere', async () => {
  engine = engineOn(false);
  page = await render(<CalibrationPanel />);
  await until(() => expect(page.element.querySelector<HTMLButtonElement>('button.primary')?.disabled).toBe(false));
  expect(fieldOf(page.element)).toBeUndefined();
});
