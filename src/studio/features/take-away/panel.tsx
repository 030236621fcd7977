import { useState } from 'react';
import { useModel, useScores } from '../../data/use-engine.ts';
import { formatPerplexity } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { useCurrentMeasurements, useMeasuredOn, useMeasureSettings } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { useJobs } from '../frame/jobs.tsx';
import { usePlan } from '../plan/use-plan.ts';
import { cardFigures } from './card-figures.ts';
import { Downloads, fileSafe } from './downloads.tsx';
import { FormatCards } from './format-cards.tsx';
import { FormatChoice } from './format-choice.tsx';
import { Publish } from './publish.tsx';
import { ShapeChoice } from './shape-choice.tsx';
import { useDtype } from './use-dtype.ts';
import { canPickFolder, pickFolder } from './use-export.ts';
import { Verified } from './verified.tsx';

/** The pruned model as files: built, re-opened, compared with the model on the bench, and only then offered. */
export function TakeAwayPanel() {
  const { data: model } = useModel();
  const { data: scores } = useScores();
  const outcome = usePlan();
  const exporting = useStudio((state) => state.tasks.export !== undefined);
  const run = useJobs().exporting;
  const measured = useCurrentMeasurements();
  const measuredOn = useMeasuredOn();
  const settings = useMeasureSettings();
  const [refusal, setRefusal] = useState<string>();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const ready = run.data && run.data.plan === plan ? run.data.exported : undefined;
  const name = scores ? fileSafe(`${scores.model.name}-${Math.round((plan?.ratio ?? 0) * 100)}`) : '';
  const dtype = useDtype();
  const formats = useStudio((state) => state.takeFormats);
  const build = async (into: 'folder' | 'zip') => {
    if (!plan || !scores) return;
    setRefusal(undefined);
    try {
      const folder = into === 'folder' ? await pickFolder() : undefined;
      if (into === 'folder' && !folder) return;
      const key = ratioKey(plan.ratio);
      // The file is measured itself, in its own numbers: what the bench measured is not said of it.
      const dense = measured.perplexity.get(0);
      const figures = cardFigures(measuredOn, undefined, undefined, measured.speed.get(key));
      const measure = {
        ...{ windows: settings.measureWindows, length: settings.measureLength },
        name: `perplexity of the ${dtype} file on ${measuredOn}`,
        against: dense && `(dense ${formatPerplexity(dense.perplexity)})`,
      };
      run.mutate({ plan, scores, dtype, formats, figures, measure, ...(folder && { folder }) });
    } catch (error) {
      setRefusal(
        `The folder cannot be written: ${error instanceof Error ? error.message : String(error)} Build a zip archive instead.`,
      );
    }
  };
  const isReady = model !== undefined && plan !== undefined && !exporting && formats.length > 0;
  return (
    <Panel
      id="take-away"
      title="Take away"
      hint="Files that other programs load as they are: each is opened again and compared before you get it."
    >
      <div className="take-away">
        <div className="export">
          <ShapeChoice />
          {plan && scores && <FormatChoice plan={plan} scores={scores} />}
          {plan && scores && formats.includes('onnx') && <FormatCards plan={plan} scores={scores} />}
          {!scores && <Notice kind="note">The model is not scored yet: without scores nothing is pruned.</Notice>}
          {formats.length === 0 && <Notice kind="note">Choose a format to take the model away as.</Notice>}
          <div className="fields">
            <div className="field field-action build-buttons">
              <button type="button" className="primary" disabled={!isReady} onClick={() => void build('zip')}>
                Build and verify
              </button>
              {canPickFolder() && (
                <button type="button" disabled={!isReady} onClick={() => void build('folder')}>
                  Into a folder
                </button>
              )}
            </div>
          </div>
          <TaskProgress name="export" label="Building" onCancel={run.cancel} />
          {refusal && <Notice kind="error">{refusal}</Notice>}
          {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
          {ready && <Verified exported={ready} />}
          {ready && <Publish key={ready.name} exported={ready} />}
          {run.data && !ready && (
            <p className="soft small">The plan has changed since the last build. Build again to take this one away.</p>
          )}
        </div>
        <Downloads plan={plan} scores={scores} name={name} card={ready?.card} />
      </div>
    </Panel>
  );
}
