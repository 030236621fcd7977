// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CancelledError } from '../../../errors.ts';
import type { Engine, SampleRequest } from '../../../worker/engine.ts';
import { useStudio } from '../../store.ts';
import { type Asked, fakeEngine } from '../../testing/fake-engine.ts';
import { freshState, press, render, until } from '../../testing/render.tsx';
import { CalibrationPanel } from './panel.tsx';

let engine: Engine & { readonly asked: Asked[] };
vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => engine, backendChoice: () => 'auto' }));

beforeEach(freshState);
let page: Awaited<ReturnType<typeof render>>;
afterEach(() => page.end());

const ready = () =>
  until(() => expect(page.element.querySelector<HTMLButtonElement>('button.primary')?.disabled).toBe(false));

test('the model writes the text that it is scored on, more of it than the windows need', async () => {
  const asked: SampleRequest[] = [];
  engine = fakeEngine({
    sample: async (request) => {
      asked.push(request);
      return 'What it wrote.';
    },
  });
  page = await render(<CalibrationPanel />);
  await ready();
  await press(page.element, 'Let it write');
  await until(() => expect(page.element.querySelector('.file-name')?.textContent).toBe('its own text'));
  expect(asked).toEqual([{ windows: 80, length: 128, seed: 0 }]);
  expect(useStudio.getState().calibrationText).toMatchObject({ kind: 'own', text: 'What it wrote.' });
  await press(page.element, 'Shipped text');
  expect(useStudio.getState().calibrationText).toEqual({ kind: 'embedded' });
});

test('writing can be cancelled, and leaves the text that was chosen', async () => {
  engine = fakeEngine({
    sample: (_, { signal } = {}) =>
      new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new CancelledError()))),
  });
  page = await render(<CalibrationPanel />);
  await ready();
  await press(page.element, 'Let it write');
  await until(() => expect(page.element.querySelector('[data-task="sample"]')).not.toBeNull());
  expect(page.element.querySelector<HTMLButtonElement>('button.primary')?.disabled).toBe(true);
  await press(page.element, 'Cancel');
  await ready();
  expect(useStudio.getState().calibrationText).toEqual({ kind: 'embedded' });
  expect(page.element.querySelector('.notice')).toBeNull();
});
