import type { LayerPlan } from '../../../plan/plan.ts';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import { formatImportance } from '../../charts/normalise.ts';

/** Groups that are listed one by one; channels of a convolution are more. */
const MOST_SINGLE = 32;

/** The heatmap as a table: per layer and module the median, the extremes, and how many groups go. */
export function ImportanceTable({
  rows,
  plan,
}: {
  readonly rows: readonly HeatmapRow[];
  readonly plan: readonly LayerPlan[] | undefined;
}) {
  const hasConvolutions = rows.some(({ attention }) => attention.length > MOST_SINGLE);
  return (
    <div className="table-scroll">
      <table>
        <caption className="visually-hidden">Importance per layer, and what the plan removes</caption>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col">
              {hasConvolutions
                ? 'Attention: each group; convolution: smallest, median, largest'
                : 'Attention: each group'}
            </th>
            <th scope="col">go</th>
            <th scope="col">MLP: smallest</th>
            <th scope="col">median</th>
            <th scope="col">largest</th>
            <th scope="col">go</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, layer) => {
            const sorted = row.mlp.slice().sort();
            const kept = plan?.[layer];
            const gone = (module: 'attention' | 'mlp') =>
              kept ? `${row[module].length - kept[module].length} of ${row[module].length}` : '–';
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: a layer is its index.
              <tr key={layer}>
                <th scope="row">{layer}</th>
                <td>{row.attention.length > MOST_SINGLE ? extremes(row.attention) : single(row.attention, kept)}</td>
                <td>{gone('attention')}</td>
                <td>{formatImportance(sorted[0] ?? 0)}</td>
                <td>{formatImportance(sorted[sorted.length >> 1] ?? 0)}</td>
                <td>{formatImportance(sorted.at(-1) ?? 0)}</td>
                <td>{gone('mlp')}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function single(values: Float32Array, kept: LayerPlan | undefined): string {
  return [...values]
    .map((value, group) =>
      kept && !kept.attention.includes(group) ? `(${formatImportance(value)})` : formatImportance(value),
    )
    .join('  ');
}

function extremes(values: Float32Array): string {
  const sorted = values.slice().sort();
  return [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((value) => formatImportance(value ?? 0)).join('  ');
}
