import { useModel, useScores } from '../../data/use-engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { FillingMap } from './filling-map.tsx';

/** In the map's place while there is nothing to draw: what is missing, and the one button that gets it. While a run goes, the layers that it has done. */
export function Unscored() {
  const { isLoading, error } = useScores();
  const { data: model } = useModel();
  const { score } = useJobs();
  const { tasks, scoresChoice, scoredLayers, calibrationWindows, calibrationLength } = useStudioFields(
    'tasks',
    'scoresChoice',
    'scoredLayers',
    'calibrationWindows',
    'calibrationLength',
  );
  if (isLoading) return <div className="unscored soft">Loading the scores…</div>;
  const progress = <TaskProgress name="score" label="Scoring" onCancel={score.cancel} />;
  if (model && scoredLayers.size > 0)
    return (
      <div className="filling">
        <div className="filling-head">
          {progress}
          <p className="soft small">
            {scoredLayers.size} of {model.layers.length} layers, from the last to the first
          </p>
        </div>
        <FillingMap groups={model.layers} />
      </div>
    );
  if (tasks.score)
    return (
      <div className="unscored">
        <p>Measuring which parts of this model matter: forward over the text first, then back layer by layer.</p>
        {progress}
        <p className="soft small">The map fills as layers come. The model can be read meanwhile.</p>
      </div>
    );
  return (
    <div className="unscored">
      {error && scoresChoice.kind === 'precomputed' && <Notice kind="error">{error.message}</Notice>}
      <p>No scores yet: nobody has measured which parts of this model matter.</p>
      <button type="button" className="primary" disabled={!model} onClick={() => score.mutate()}>
        Score with {calibrationWindows} windows of {calibrationLength} tokens
      </button>
      <p className="soft small">Text, windows and metrics are under the chip above. The model can be read meanwhile.</p>
    </div>
  );
}
