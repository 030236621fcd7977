// @vitest-environment happy-dom
import { act } from 'react';
import { expect, it, vi } from 'vitest';
import { press, render } from '../testing/render.tsx';
import { Guarded } from './guarded.tsx';

let isBroken = true;

function Fragile() {
  if (isBroken) throw new RangeError('7 is no layer.');
  return <p>drawn</p>;
}

it('keeps the other parts when one fails to draw, and draws it again when it can', async () => {
  const silent = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const page = await render(
    <>
      <Guarded name="The map">
        <Fragile />
      </Guarded>
      <p>the slider</p>
    </>,
  );
  expect(page.element.querySelector('[role="alert"]')?.textContent).toContain(
    'The map cannot be shown: 7 is no layer.',
  );
  expect(page.element.textContent).toContain('the slider');
  isBroken = false;
  await press(page.element, 'Try again');
  expect(page.element.textContent).toBe('drawnthe slider');
  await act(async () => page.end());
  silent.mockRestore();
});
