// @vitest-environment happy-dom
import { act } from 'react';
import { afterEach, expect, it, vi } from 'vitest';
import { freshState, press, render } from '../../testing/render.tsx';
import { ShareLink } from './share-link.tsx';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('says that the link was copied for a moment: it is of the recipe that was there then', async () => {
  const copied = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
  freshState();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const page = await render(<ShareLink />);
  await press(page.element, 'Share');
  expect(copied).toHaveBeenCalledWith(expect.stringContaining('#'));
  expect(page.element.textContent).toBe('Copied');
  await act(async () => vi.advanceTimersByTime(5000));
  expect(page.element.textContent).toBe('Share');
  await page.end();
});
