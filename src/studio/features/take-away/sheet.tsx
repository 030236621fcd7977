import { formatBytes, formatPercent } from '../../parts/format.ts';
import { Sheet } from '../../parts/sheet.tsx';
import { useStudio } from '../../store.ts';
import { usePlanSummary, useRatio } from '../plan/use-plan.ts';
import { TakeAwayPanel } from './panel.tsx';
import { useDtype } from './use-dtype.ts';

/** The way out: a button that promises format and size, and opens to where both are chosen. */
export function ExportSheet() {
  const ratio = useRatio();
  const dtype = useDtype();
  const summary = usePlanSummary();
  const sheet = useStudio((state) => state.sheet);
  const setBench = useStudio((state) => state.setBench);
  const task = useStudio(({ tasks }) => tasks.export);
  const share = task?.progress?.total ? formatPercent(task.progress.completed / task.progress.total) : '';
  return (
    <Sheet
      label="Export"
      className="sheet-export"
      align="right"
      chipClass="primary export-button"
      chip={
        task ? (
          `Building ${share}`
        ) : (
          <>
            Export {formatPercent(ratio)}
            {summary && (
              <span className="export-promise">
                {' '}
                · {dtype} {formatBytes(summary.bytesAfter)}
              </span>
            )}
          </>
        )
      }
      open={sheet === 'take-away'}
      onOpen={(open) => (open || sheet === 'take-away') && setBench({ sheet: open ? 'take-away' : undefined })}
    >
      <TakeAwayPanel />
    </Sheet>
  );
}
