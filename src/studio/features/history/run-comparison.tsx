import { useWidth } from '../../charts/use-width.ts';
import { WidthsChart } from '../../charts/widths-chart.tsx';
import { formatPercent } from '../../parts/format.ts';
import { type Run, runLabel } from './run.ts';
import { runDifferences, widthDifferences } from './run-differences.ts';

/** Two runs laid over each other: widths per layer, and figure by figure. */
export function RunComparison({ first, second }: { readonly first: Run; readonly second: Run }) {
  const { ref, width } = useWidth<HTMLElement>();
  const differing = widthDifferences(first, second);
  const names = [nameOf('A', first), nameOf('B', second)] as const;
  return (
    <div className="run-comparison">
      <figure ref={ref}>
        <figcaption className="widths-key">
          <span className="key-both">both keep</span>
          <span className="key-first">only A keeps</span>
          <span className="key-second">only B keeps</span>
          <span className="key-dense">gone in both</span>
        </figcaption>
        {width > 0 && <WidthsChart first={first.widths} second={second.widths} names={names} width={width} />}
      </figure>
      <div>
        <table className="readings">
          <caption className="visually-hidden">Two recipes, figure by figure</caption>
          <thead>
            <tr>
              <td />
              <th scope="col">{names[0]}</th>
              <th scope="col">{names[1]}</th>
              <th scope="col">B against A</th>
            </tr>
          </thead>
          <tbody>
            {runDifferences(first, second).map(({ name, first: a, second: b, change }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{a}</td>
                <td>{b}</td>
                <td className="change">{change}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <p className="soft small">{differencesSentence(differing, first.widths.length)}</p>
      </div>
    </div>
  );
}

function nameOf(letter: string, run: Run): string {
  return `${letter}: ${formatPercent(run.ratio)}, ${runLabel(run)}`;
}

function differencesSentence(differing: ReturnType<typeof widthDifferences>, layers: number): string {
  if (differing.length === 0) return 'Both keep the same widths in every layer.';
  const largest = differing.reduce((most, layer) => (Math.abs(layer.mlp) > Math.abs(most.mlp) ? layer : most));
  const more = largest.mlp > 0 ? 'B' : 'A';
  const most =
    largest.mlp === 0
      ? ''
      : ` They differ most in layer ${largest.layer}, where ${more} keeps ${Math.abs(largest.mlp)} neurons more.`;
  return `Widths differ in ${differing.length} of ${layers} layers.${most}`;
}
