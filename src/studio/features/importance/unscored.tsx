import { useModel, useScores } from '../../data/use-engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';

/** In the map's place while there is nothing to draw: what is missing, and the one button that gets it. */
export function Unscored() {
  const { isLoading, error } = useScores();
  const { data: model } = useModel();
  const { score } = useJobs();
  const { tasks, scoresChoice, calibrationWindows, calibrationLength } = useStudioFields(
    'tasks',
    'scoresChoice',
    'calibrationWindows',
    'calibrationLength',
  );
  if (isLoading) return <div className="unscored soft">Loading the scores…</div>;
  return (
    <div className="unscored">
      {error && scoresChoice.kind === 'precomputed' && <Notice kind="error">{error.message}</Notice>}
      <p>No scores yet: nobody has measured which parts of this model matter.</p>
      {tasks.score ? (
        <TaskProgress name="score" label="Scoring" onCancel={score.cancel} />
      ) : (
        <button type="button" className="primary" disabled={!model} onClick={() => score.mutate()}>
          Score with {calibrationWindows} windows of {calibrationLength} tokens
        </button>
      )}
      <p className="soft small">Text, windows and metrics are under the chip above. The model can be read meanwhile.</p>
    </div>
  );
}
