import { useShallow } from 'zustand/react/shallow';
import type { Scores } from '../../../importance/sums/scores.ts';
import { forgetScores } from '../../data/session.ts';
import { useBackend, useModel, useScores } from '../../data/use-engine.ts';
import { formatCount } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { NumberField } from '../../parts/number-field.tsx';
import { Panel } from '../../parts/panel.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { TextChoice } from '../../parts/text-choice.tsx';
import { useStudio } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { CalibrationWindows } from './calibration-windows.tsx';

const PRECISIONS = [
  { value: 'f32', label: 'Single' },
  { value: 'f16', label: 'Half' },
  { value: 'auto', label: 'Half where it suffices' },
] as const;

/** On which text importance is measured, and the run that measures it. */
export function CalibrationPanel() {
  const { data: scores, error: scoresError } = useScores();
  const { data: model } = useModel();
  const { data: backend } = useBackend();
  const {
    calibrationText,
    calibrationWindows,
    calibrationLength,
    calibrationSeed,
    scorePrecision,
    scoresChoice,
    chosenModel,
    setCalibration,
    setBench,
    isBusy,
  } = useStudio(
    useShallow(({ tasks, ...state }) => ({
      ...{
        calibrationText: state.calibrationText,
        calibrationWindows: state.calibrationWindows,
        calibrationLength: state.calibrationLength,
      },
      ...{ scorePrecision: state.scorePrecision },
      ...{ calibrationSeed: state.calibrationSeed, scoresChoice: state.scoresChoice, chosenModel: state.chosenModel },
      ...{
        setCalibration: state.setCalibration,
        setBench: state.setBench,
        ...{ isBusy: tasks.score !== undefined || tasks.sample !== undefined },
      },
    })),
  );
  const { score: run, sample } = useJobs();
  // The progress is told below the upper edge, and the map is where the eye is.
  const score = () => {
    setBench({ sheet: undefined });
    run.mutate();
  };
  const backToPrecomputed = () => {
    setCalibration({ scoresChoice: { kind: 'precomputed' } });
    void forgetScores();
  };
  return (
    <Panel
      id="calibration"
      title="Calibration"
      hint="The text that importance is measured on. Prune for what the model is to do."
    >
      <div className="fields">
        <TextChoice
          label="Text"
          embedded="stories, shipped"
          value={calibrationText}
          onChange={(text) => setCalibration({ calibrationText: text })}
          extra={
            <button
              type="button"
              className="quiet"
              title="The model writes a text itself: where none is at hand that is like what it is to do"
              disabled={!model || isBusy}
              onClick={() => sample.mutate()}
            >
              Let it write
            </button>
          }
        />
        <NumberField
          label="Windows"
          value={calibrationWindows}
          min={1}
          max={4096}
          onChange={(value) => setCalibration({ calibrationWindows: Math.round(value) })}
        />
        <NumberField
          label="Window length"
          unit="tokens"
          value={calibrationLength}
          min={8}
          max={model?.maximumPositions ?? 512}
          onChange={(value) => setCalibration({ calibrationLength: Math.round(value) })}
        />
        <NumberField
          label="Seed"
          value={calibrationSeed}
          min={0}
          max={2 ** 31 - 1}
          onChange={(value) => setCalibration({ calibrationSeed: Math.round(value) })}
        />
        {backend?.halfPrecision && (
          <SelectField
            label="Precision"
            value={scorePrecision}
            options={PRECISIONS}
            onChange={(value) => setCalibration({ scorePrecision: value })}
          />
        )}
        <div className="field field-action">
          <button type="button" className="primary" disabled={!model || isBusy} onClick={score}>
            Score
          </button>
        </div>
      </div>
      <TaskProgress name="score" label="Scoring" onCancel={run.cancel} />
      <TaskProgress name="sample" label="Writing" onCancel={sample.cancel} />
      {sample.error && sample.error.name !== 'CancelledError' && <Notice kind="error">{sample.error.message}</Notice>}
      {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
      {scoresError && <Notice kind="error">{scoresError.message}</Notice>}
      <p className="provenance" data-scores={scoresChoice.kind}>
        {scores ? (
          <ScoresProvenance scores={scores} own={scoresChoice.kind === 'run'} />
        ) : (
          <span className="pending">
            {scoresChoice.kind === 'none' ? 'This model is not scored yet.' : 'Loading scores…'}
          </span>
        )}
        {scoresChoice.kind === 'run' && chosenModel.kind === 'embedded' && (
          <button type="button" className="link" onClick={backToPrecomputed}>
            Back to the precomputed scores
          </button>
        )}
      </p>
      <CalibrationWindows />
    </Panel>
  );
}

function ScoresProvenance({ scores, own }: { readonly scores: Scores; readonly own: boolean }) {
  const { windows, length, loss, tokens, source, seed } = scores.calibration;
  return (
    <>
      <span className={own ? 'tag tag-own' : 'tag'}>{own ? 'Your run' : 'Precomputed'}</span> {formatCount(windows)}{' '}
      windows of {length} tokens ({formatCount(tokens)} predictions) of {source}, seed {seed}, {scores.engine.backend}
      {scores.engine.precision === 'f16' && ' in half precision'}, loss {loss.toFixed(3)} nats.
      {scores.engine.notes?.map((note) => (
        <strong key={note} role="alert">
          {' '}
          {note}
        </strong>
      ))}
    </>
  );
}
