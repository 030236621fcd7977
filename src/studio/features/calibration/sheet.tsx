import { useScores } from '../../data/use-engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { Sheet } from '../../parts/sheet.tsx';
import { useStudio } from '../../store.ts';
import { CalibrationPanel } from './panel.tsx';

/** On what the model was scored, as a chip; opens to the text, its windows and the run. */
export function CalibrationSheet() {
  const { data: scores } = useScores();
  const sheet = useStudio((state) => state.sheet);
  const setBench = useStudio((state) => state.setBench);
  const task = useStudio(({ tasks }) => tasks.score);
  const own = useStudio(({ scoresChoice }) => scoresChoice.kind === 'run');
  const share = task?.progress?.total ? formatPercent(task.progress.completed / task.progress.total) : '';
  const { windows, length, source } = scores?.calibration ?? {};
  const text = own ? source?.replace(/\.\w+$/, '') : scores?.model.name;
  return (
    <Sheet
      label="Scores"
      className="sheet-calibration"
      chip={
        <>
          <span className="visually-hidden">Calibration: </span>
          <span className="chip-name">
            {task ? (
              <strong>Scoring {share}</strong>
            ) : scores ? (
              <>
                Scored on <strong>{text}</strong>
              </>
            ) : (
              <strong>Not scored</strong>
            )}
          </span>
          {scores && !task && (
            <span className="chip-detail">
              {windows} × {length}
            </span>
          )}
          <span className="chevron" aria-hidden="true" />
        </>
      }
      open={sheet === 'calibration'}
      onOpen={(open) => (open || sheet === 'calibration') && setBench({ sheet: open ? 'calibration' : undefined })}
    >
      <CalibrationPanel />
    </Sheet>
  );
}
