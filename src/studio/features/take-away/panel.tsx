import { useState } from 'react';
import { useModel, useScores } from '../../data/use-engine.ts';
import { formatBytes } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Segmented } from '../../parts/segmented.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { useCurrentMeasurements, useMeasuredOn } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { usePlan, usePlanSummary } from '../plan/use-plan.ts';
import { cardFigures } from './card-figures.ts';
import { Downloads, fileSafe } from './downloads.tsx';
import { canPickFolder, pickFolder, useExport } from './use-export.ts';
import { Verified } from './verified.tsx';

const DTYPES = [
  { value: 'f32', label: 'f32' },
  { value: 'f16', label: 'f16' },
  { value: 'q8', label: 'q8' },
  { value: 'q4', label: 'q4' },
] as const;

/** The pruned model as files: built, re-opened, compared with the model on the bench, and only then offered. */
export function TakeAwayPanel() {
  const { data: model } = useModel();
  const { data: scores } = useScores();
  const outcome = usePlan();
  const summary = usePlanSummary();
  const recipe = useStudio((state) => state.recipe);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const exporting = useStudio((state) => state.tasks.export !== undefined);
  const run = useExport();
  const measured = useCurrentMeasurements();
  const measuredOn = useMeasuredOn();
  const [refusal, setRefusal] = useState<string>();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const ready = run.data && run.data.plan === plan ? run.data.exported : undefined;
  const name = scores ? fileSafe(`${scores.model.name}-${Math.round((plan?.ratio ?? 0) * 100)}`) : '';
  const dtype = recipe.dtype ?? 'f32';
  const build = async (into: 'folder' | 'zip') => {
    if (!plan || !scores) return;
    setRefusal(undefined);
    try {
      const folder = into === 'folder' ? await pickFolder() : undefined;
      if (into === 'folder' && !folder) return;
      const key = ratioKey(plan.ratio);
      const figures = cardFigures(
        measuredOn,
        measured.perplexity.get(key),
        measured.perplexity.get(0),
        measured.speed.get(key),
      );
      run.mutate({ plan, scores, dtype, figures, ...(folder && { folder }) });
    } catch (error) {
      setRefusal(
        `The folder cannot be written: ${error instanceof Error ? error.message : String(error)} Build a zip archive instead.`,
      );
    }
  };
  const isReady = model !== undefined && plan !== undefined && !exporting;
  return (
    <Panel id="take-away" title="Take away" hint="ONNX files that transformers.js and ONNX Runtime load as they are.">
      <div className="take-away">
        <div className="export">
          <div className="fields">
            <div className="field">
              <span className="field-label">Numbers as</span>
              <Segmented
                label="Numbers as"
                options={DTYPES}
                value={dtype}
                onChange={(value) => changeRecipe({ dtype: value })}
              />
            </div>
            <div className="field">
              <span className="field-label">Expected size</span>
              <span className="field-value">{summary ? formatBytes(summary.bytesAfter) : '…'}</span>
            </div>
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
          {run.data && !ready && (
            <p className="soft small">The plan has changed since the last build. Build again to take this one away.</p>
          )}
        </div>
        <Downloads plan={plan} scores={scores} name={name} card={ready?.card} />
      </div>
    </Panel>
  );
}
