import { renderToStaticMarkup } from 'react-dom/server';
import { expect, it } from 'vitest';
import { LossCurve } from './loss-curve.tsx';

/** One element per line, so that a changed mark is one changed line. */
const markup = (element: React.ReactElement) => renderToStaticMarkup(element).replaceAll('><', '>\n<');

it('draws the training loss as a line and the held-out loss as points, the best one ringed', () => {
  const points = [
    { step: 0, loss: undefined, heldOutLoss: 2 },
    { step: 1, loss: 2.1, heldOutLoss: undefined },
    { step: 2, loss: 1.9, heldOutLoss: 1.7 },
    { step: 3, loss: 1.8, heldOutLoss: 1.75 },
  ];
  const drawn = markup(<LossCurve points={points} steps={4} best={2} width={300} />);
  expect(drawn).toMatchSnapshot();
  expect(drawn.match(/<circle/g)).toHaveLength(3);
});

it('says that no step is made yet, and draws nothing for it', () => {
  const empty = markup(<LossCurve points={[]} steps={40} best={undefined} width={300} />);
  expect(empty).toContain('no step made yet');
  expect(empty).not.toContain('<path');
});
