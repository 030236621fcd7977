import type { LayerPlan } from '../../../plan/plan.ts';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import { formatImportance } from '../../charts/normalise.ts';

/** The heatmap as a table: per layer and module the median, the extremes, and how many groups go. */
export function ImportanceTable({
  rows,
  plan,
}: {
  readonly rows: readonly HeatmapRow[];
  readonly plan: readonly LayerPlan[] | undefined;
}) {
  return (
    <div className="table-scroll">
      <table>
        <caption className="visually-hidden">Importance per layer, and what the plan removes</caption>
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col">Attention: each group</th>
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
                <td>
                  {[...row.attention]
                    .map((value, group) =>
                      kept && !kept.attention.includes(group)
                        ? `(${formatImportance(value)})`
                        : formatImportance(value),
                    )
                    .join('  ')}
                </td>
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
