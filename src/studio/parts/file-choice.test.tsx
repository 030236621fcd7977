// @vitest-environment happy-dom
import { act } from 'react';
import { expect, it, vi } from 'vitest';
import { render } from '../testing/render.tsx';
import { FileChoice } from './file-choice.tsx';

it('refuses a file that is too large to be held as one string with both sizes, unread', async () => {
  const take = vi.fn();
  const page = await render(<FileChoice label="Text" name="shipped" accept=".txt" take={take} back={undefined} />);
  const input = page.element.querySelector('input');
  const choose = async (file: File) => {
    if (!input) throw new Error('There is no field for files.');
    Object.defineProperty(input, 'files', { value: [file], configurable: true });
    await act(async () => {
      input.dispatchEvent(new Event('change', { bubbles: true }));
      await file.arrayBuffer();
    });
  };
  const large = new File(['x'], 'all.txt');
  Object.defineProperty(large, 'size', { value: 700e6 });
  await choose(large);
  expect(page.element.textContent).toContain('all.txt has 700 MB; the page takes at most 64 MB');
  expect(take).not.toHaveBeenCalled();

  await choose(new File(['once'], 'some.txt'));
  expect(take).toHaveBeenCalledWith('some.txt', new TextEncoder().encode('once'));
  expect(page.element.textContent).not.toContain('at most 64 MB');
  await act(async () => page.end());
});
