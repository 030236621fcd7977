// @vitest-environment happy-dom
import { expect, it } from 'vitest';
import { freshState, render } from '../../testing/render.tsx';
import { Pane } from './pane.tsx';
import type { PaneState } from './slice.ts';

const written: PaneState = {
  ...{ status: 'done', key: 'k', ran: 'dense' },
  tokens: [{ id: 1, text: ' once', probability: 0.5 }],
  result: {
    ...{ text: ' once', tokenIds: [1], promptTokens: 4 },
    ...{ timeToFirstToken: 0.2, prefillTokensPerSecond: 20, decodeTokensPerSecond: 851 },
  },
};

it('shows the speed that was measured in turns, and tells beside it what this text took', async () => {
  freshState();
  const page = await render(
    <Pane side="dense" title="Dense" pane={written} speed={303} divergesAt={undefined} showDoubt={false} />,
  );
  const foot = page.element.querySelector('.pane-foot');
  expect(foot?.textContent).toBe('303 tokens/s');
  expect(foot?.getAttribute('title')).toBe('this text: first token after 200 ms, then 851 tokens/s, once');
  await page.end();
});
