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
  const { score, sample } = useJobs();
  const { tasks, chosenModel, scoresChoice, scoredLayers, calibrationText, calibrationWindows, calibrationLength } =
    useStudioFields(
      'tasks',
      'chosenModel',
      'scoresChoice',
      'calibrationText',
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
  if (tasks.sample)
    return (
      <div className="unscored">
        <p>The model writes a text, which its parts are measured on then.</p>
        <TaskProgress name="sample" label="Writing" onCancel={sample.cancel} />
        <p className="soft small">{model?.name} draws it token by token, from what it was trained on.</p>
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
  // Our stories are the text of our own model; another one knows best itself what it was trained on.
  const isForeign = chosenModel.kind !== 'embedded' && calibrationText.kind === 'embedded';
  const writeAndScore = async () => {
    if (!model) return;
    await sample.mutateAsync();
    score.mutate();
  };
  const failed = sample.error && sample.error.name !== 'CancelledError' ? sample.error : undefined;
  return (
    <div className="unscored">
      {error && scoresChoice.kind === 'precomputed' && <Notice kind="error">{error.message}</Notice>}
      {failed && <Notice kind="error">{failed.message}</Notice>}
      <p>No scores yet: nobody has measured which parts of this model matter.</p>
      {isForeign && (
        <button
          type="button"
          className="primary"
          disabled={!model}
          // Why it ended is told above.
          onClick={() => void writeAndScore().catch(() => undefined)}
        >
          Let it write a text, and score on that
        </button>
      )}
      <button
        type="button"
        className={isForeign ? undefined : 'primary'}
        disabled={!model}
        onClick={() => score.mutate()}
      >
        Score {isForeign && 'on our stories '}with {calibrationWindows} windows of {calibrationLength} tokens
      </button>
      <p className="soft small">
        {isForeign
          ? 'What a model is scored on is what it keeps. A text like what it is to do is best: choose one under the chip above.'
          : 'Text, windows and metrics are under the chip above. The model can be read meanwhile.'}
      </p>
    </div>
  );
}
