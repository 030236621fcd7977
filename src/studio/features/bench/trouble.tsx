import { useBackend, useModel } from '../../data/use-engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';

/** Below the upper edge: what went wrong with engine and model, and long steps that the reader waits for. Nothing most of the time. */
export function Trouble() {
  const backend = useBackend();
  const model = useModel();
  const { score } = useJobs();
  const { tasks, scoresChoice } = useStudioFields('tasks', 'scoresChoice');
  const error = model.error ?? backend.error;
  const scoreError = score.error && score.error.name !== 'CancelledError' ? score.error : undefined;
  const isRescoring = tasks.score !== undefined && scoresChoice.kind !== 'none';
  if (!error && !scoreError && !isRescoring) return null;
  return (
    <div className="trouble">
      {error && <Notice kind="error">{error.message}</Notice>}
      {scoreError && <Notice kind="error">{scoreError.message}</Notice>}
      {isRescoring && <TaskProgress name="score" label="Scoring" onCancel={score.cancel} />}
    </div>
  );
}
