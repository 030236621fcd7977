// @vitest-environment happy-dom
import { expect, it, vi } from 'vitest';
import { useStudio } from '../../store.ts';
import { fakeEngine } from '../../testing/fake-engine.ts';
import { freshState, press, render } from '../../testing/render.tsx';
import { Tour } from './tour.tsx';

vi.mock('../../data/engine.ts', () => ({ studioEngine: async () => fakeEngine(), backendChoice: () => 'wasm' }));

it('begins by itself on a first visit, walks five steps, and does not come back', async () => {
  freshState();
  const page = await render(<Tour />);
  const titles: (string | undefined)[] = [];
  for (let step = 0; step < 5; step += 1) {
    titles.push(page.element.querySelector('h2')?.textContent ?? undefined);
    await press(page.element, step < 4 ? 'Next' : 'Begin');
  }
  expect(new Set(titles).size).toBe(5);
  expect(page.element.textContent).toBe('');
  expect(useStudio.getState().tourSeen).toBe(true);
  await page.end();
});

it('is skipped for good', async () => {
  freshState();
  const page = await render(<Tour />);
  await press(page.element, 'Skip, for good');
  expect(page.element.textContent).toBe('');
  expect(useStudio.getState()).toMatchObject({ tourSeen: true, tourStep: undefined });
  await page.end();
});
