import { encodeScores } from '../../saap/score-file.ts';
import type { ExportedModel, Verification } from '../../worker/engine.ts';
import { svgFile } from '../charts/svg-file.ts';
import { useCurrentMeasurements } from '../data/measurements.ts';
import { useModel, useScores } from '../data/use-engine.ts';
import { download, useExport } from '../data/use-export.ts';
import { usePlan, usePlanSummary } from '../data/use-plan.ts';
import { formatBytes, formatPercent } from '../parts/format.ts';
import { Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Segmented } from '../parts/segmented.tsx';
import { TaskProgress } from '../parts/task-progress.tsx';
import { type ResultRows, resultsCsv } from '../planning/results-csv.ts';
import type { RecipeChoices } from '../state/recipe-slice.ts';
import { useStudio } from '../state/store.ts';
import { ShareLink } from './share-link.tsx';

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
  const plan = outcome?.ok ? outcome.plan : undefined;
  const ready = run.data && run.data.plan === plan ? run.data.exported : undefined;
  const name = scores ? `${scores.model.name}-${Math.round((plan?.ratio ?? 0) * 100)}` : '';
  return (
    <Panel id="take-away" title="Take away" hint="ONNX files that transformers.js and ONNX Runtime load as they are.">
      <div className="take-away">
        <div className="export">
          <div className="fields">
            <div className="field">
              <span className="field-label">Numbers as</span>
              <Segmented label="Numbers as" options={DTYPES} value={recipe.dtype ?? 'f32'} onChange={(dtype) => changeRecipe({ dtype })} />
            </div>
            <div className="field">
              <span className="field-label">Expected size</span>
              <span className="field-value">{summary ? formatBytes(summary.bytesAfter) : '…'}</span>
            </div>
            <div className="field field-action">
              <button
                type="button"
                className="primary"
                disabled={!model || !plan || exporting}
                onClick={() => plan && run.mutate({ plan, dtype: recipe.dtype ?? 'f32' })}
              >
                Build and verify
              </button>
            </div>
          </div>
          <TaskProgress name="export" label="Building" onCancel={run.cancel} />
          {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
          {ready && <Verified exported={ready} />}
          {run.data && !ready && <p className="soft small">The plan has changed since the last build. Build again to take this one away.</p>}
        </div>
        <ul className="downloads">
          <li>
            <button type="button" className="link" disabled={!plan} onClick={() => plan && download(`${name}.plan.json`, jsonBlob(plan))}>
              Plan
            </button>
            <span className="soft small">which groups stay</span>
          </li>
          <li>
            <button type="button" className="link" disabled={!plan} onClick={() => plan && download(`${name}.recipe.json`, jsonBlob(plan.recipe))}>
              Recipe
            </button>
            <span className="soft small">how the plan was made</span>
          </li>
          <li>
            <button
              type="button"
              className="link"
              disabled={!scores}
              onClick={() => scores && download(`${scores.model.name}.scores.safetensors`, new Blob([encodeScores(scores)]))}
            >
              Scores
            </button>
            <span className="soft small">all metrics, safetensors</span>
          </li>
          <li>
            <button type="button" className="link" disabled={!scores} onClick={() => download(`${name}.results.csv`, csvBlob(measured, recipe))}>
              Results
            </button>
            <span className="soft small">what was measured, CSV</span>
          </li>
          <li>
            <button type="button" className="link" disabled={!scores} onClick={() => download(`${name}.curves.svg`, svgFile(chartsOnPage()))}>
              Curves
            </button>
            <span className="soft small">the charts above, SVG</span>
          </li>
          <li>
            <ShareLink />
            <span className="soft small">this recipe as an address</span>
          </li>
        </ul>
      </div>
    </Panel>
  );
}

function Verified({ exported }: { readonly exported: ExportedModel }) {
  return (
    <div className="verified" data-verified="true">
      <p>
        <strong>Verified.</strong> {verificationSentence(exported.verification)}
      </p>
      {exported.archive && <DownloadArchive name={`${exported.name}.zip`} archive={exported.archive} />}
      <details>
        <summary>Files</summary>
        <ul className="files">
          {exported.files.map(({ name, bytes }) => (
            <li key={name}>
              <span>{name}</span>
              <span className="soft">{formatBytes(bytes)}</span>
            </li>
          ))}
        </ul>
      </details>
    </div>
  );
}

function DownloadArchive({ name, archive }: { readonly name: string; readonly archive: Blob }) {
  return (
    <button type="button" className="primary" onClick={() => download(name, archive)}>
      Download {name}, {formatBytes(archive.size)}
    </button>
  );
}

function verificationSentence({ positions, top1Agreement, maxAbsoluteDifference }: Verification): string {
  return `Re-opened and compared at ${positions} positions: the same next token at ${formatPercent(top1Agreement)}, largest difference of a logit ${maxAbsoluteDifference.toExponential(1)}.`;
}

function csvBlob(measured: ResultRows, { metric, search }: RecipeChoices): Blob {
  return new Blob([resultsCsv(measured, `${metric}, ${search}`)], { type: 'text/csv' });
}

function chartsOnPage(): SVGSVGElement[] {
  return [...document.querySelectorAll<SVGSVGElement>('svg.ratio-chart')];
}

function jsonBlob(value: unknown): Blob {
  return new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: 'application/json' });
}
