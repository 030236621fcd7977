import type { PairedComparison } from '../../evaluate/tasks-paired.ts';
import { formatPercent } from '../parts/format.ts';
import type { TaskMetric, TaskRow } from '../planning/task-table.ts';

/** Accuracies of the models on one task, each with its standard error, and the difference to the dense model on the same items. */
export function TaskTable({ rows, metric, items }: { readonly rows: readonly TaskRow[]; readonly metric: TaskMetric; readonly items: number }) {
  return (
    <table className="readings task-table">
      <thead>
        <tr>
          <td />
          <th scope="col">Accuracy</th>
          <th scope="col">By bytes</th>
          <th scope="col">Against dense{metric === 'accuracyNormalized' && ', by bytes'}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, name, result, paired }) => (
          <tr key={id}>
            <th scope="row">
              {name}
              {result && result.items < items && <span className="soft"> · {result.items} items</span>}
            </th>
            {result ? (
              <>
                <td>{share(result.accuracy, result.standardError)}</td>
                <td>{share(result.accuracyNormalized, result.standardErrorNormalized)}</td>
                <td className="change">{paired ? difference(paired[metric]) : ''}</td>
              </>
            ) : (
              <>
                <td>
                  <span className="pending">not measured</span>
                </td>
                <td />
                <td />
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function share(value: number, error: number): string {
  return `${formatPercent(value)} ± ${formatPercent(error)}`;
}

/** '−4.9 ± 2.8 points, p = 0.12'. */
function difference({ difference: value, standardError, pValue }: PairedComparison): string {
  const points = (share: number) => (100 * Math.abs(share)).toFixed(1);
  const sign = value < 0 ? '−' : value > 0 ? '+' : '';
  return `${sign}${points(value)} ± ${points(standardError)} points, p ${pValue < 0.001 ? '< 0.001' : `= ${pValue.toFixed(pValue < 0.1 ? 3 : 2)}`}`;
}
