import { formatBytes, formatPercent } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { download } from '../take-away/use-export.ts';
import { RECOVERED_DTYPES } from './use-recovery.ts';

/** The recovered model as files: built and verified in the numbers that it has. Renders nothing before there is one. */
export function RecoveredExport() {
  const recovered = useStudio((state) => state.recovered);
  const exporting = useStudio((state) => state.tasks.export !== undefined);
  const run = useJobs().recoveredExport;
  if (!recovered) return null;
  const ready = run.data?.of === recovered.result ? run.data.exported : undefined;
  const archive = ready?.archive;
  return (
    <div className="recovered-export">
      <p>
        <strong>Recovered, {recovered.name}:</strong> the third column under Read, and a point of the perplexity curve.
      </p>
      {ready && archive ? (
        <div className="verified" data-verified="true">
          <p>
            <strong>Verified.</strong> Compared at {ready.verification.positions} positions: the same next token at{' '}
            {formatPercent(ready.verification.top1Agreement)}.
          </p>
          <button type="button" className="primary" onClick={() => download(`${ready.name}.zip`, archive)}>
            Download {ready.name}.zip, {formatBytes(archive.size)}
          </button>
        </div>
      ) : (
        <button type="button" disabled={exporting} onClick={() => run.mutate(recovered)}>
          Build and verify as {RECOVERED_DTYPES[recovered.method]}
        </button>
      )}
      {run.isPending && (
        <button type="button" className="quiet" onClick={run.cancel}>
          Cancel building
        </button>
      )}
      {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
    </div>
  );
}
