import { formatShare } from '../../parts/format.ts';
import type { TaskMetric, TaskRow } from './task-rows.ts';

/** Accuracies of the models on one task, each with its standard error, and the difference to the dense model on the same items. */
export function TaskTable({
  rows,
  metric,
  items,
}: {
  readonly rows: readonly TaskRow[];
  readonly metric: TaskMetric;
  readonly items: number;
}) {
  const shown = (of: TaskMetric) => (of === metric ? 'figures shown' : 'figures');
  return (
    <table className="readings task-table">
      <thead>
        <tr>
          <td />
          <th scope="col">Accuracy</th>
          <th scope="col">By bytes</th>
          <th scope="col">Against dense</th>
          <th scope="col">
            <abbr title="Chance of a difference at least as uneven if both models were equally good: McNemar's exact test">
              p
            </abbr>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, name, result, paired }) => (
          <tr key={id}>
            <th scope="row">
              {name}
              {result && result.items < items && <span className="soft"> · {result.items} items</span>}
              {result && result.unscored > 0 && <span className="soft"> · {result.unscored} not scored, wrong</span>}
            </th>
            {result ? (
              <>
                <td className={shown('accuracy')}>
                  <WithError value={formatShare(result.accuracy)} error={formatShare(result.standardError)} />
                </td>
                <td className={shown('accuracyNormalized')}>
                  <WithError
                    value={formatShare(result.accuracyNormalized)}
                    error={formatShare(result.standardErrorNormalized)}
                  />
                </td>
                <td className="figures change">
                  {paired && (
                    <WithError value={signed(paired[metric].difference)} error={points(paired[metric].standardError)} />
                  )}
                </td>
                <td className="change">{paired && probability(paired[metric].pValue)}</td>
              </>
            ) : (
              <>
                <td>
                  <span className="pending">not measured</span>
                </td>
                <td />
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

/** A number and its error; the two part only between them. */
function WithError({ value, error }: { readonly value: string; readonly error: string }) {
  return (
    <>
      <span>{value}</span> <span>± {error}</span>
    </>
  );
}

const points = (share: number) => (100 * Math.abs(share)).toFixed(1);

/** Points of a percent: −4.2, +1.0. */
function signed(difference: number): string {
  return `${difference < 0 ? '−' : difference > 0 ? '+' : ''}${points(difference)}`;
}

function probability(value: number): string {
  return value < 0.001 ? '< 0.001' : value.toFixed(value < 0.1 ? 3 : 2);
}
