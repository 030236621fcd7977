import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { TaskBars } from './task-bars.tsx';

const format = (value: number) => `${Math.round(value * 100)}%`;
/** One element per line, so that a changed mark is one changed line. */
const markup = (element: React.ReactElement) => renderToStaticMarkup(element).replaceAll('><', '>\n<');

describe('bars of a task', () => {
  it('draws accuracies with errors, the dense model and the level of guessing', () => {
    const bars = [
      { id: 'dense', name: 'Dense', kind: 'dense', value: 0.8, error: 0.04 },
      { id: 'plan', name: '20% removed', kind: 'chosen', value: 0.98, error: 0.05 },
    ] as const;
    expect(
      markup(<TaskBars title="Accuracy" unit="quiz" bars={bars} chance={0.25} format={format} width={321} />),
    ).toMatchSnapshot();
  });

  it('says that nothing is measured, and draws nothing for it', () => {
    const empty = markup(
      <TaskBars title="Accuracy" unit="quiz" bars={[]} chance={undefined} format={format} width={300} />,
    );
    expect(empty).toContain('not measured yet');
    expect(empty).not.toContain('<rect');
  });
});
