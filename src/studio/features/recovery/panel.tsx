import type { KeptTraining } from '../../../worker/engine.ts';
import { LossCurve } from '../../charts/loss-curve.tsx';
import { useWidth } from '../../charts/use-width.ts';
import { useModel } from '../../data/use-engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { usePlan } from '../plan/use-plan.ts';
import { download } from '../take-away/use-export.ts';
import { lossesCsv } from './losses-csv.ts';
import { RecoveredExport } from './recovered-export.tsx';
import { RecoveryDetails, RecoveryFields } from './recovery-fields.tsx';
import { RecoveryReadings } from './recovery-readings.tsx';
import {
  bestPoint,
  isFinished,
  lossPoints,
  methodOf,
  type RecoveryMethod,
  type RecoveryRun,
  recoveryMethodName,
} from './slice.ts';
import { useKeptTraining } from './use-recovery.ts';

const ABOUT = {
  'group-wise-4':
    'Weights are rounded to 4 bits in groups of 32. The training shifts each group, so the recovered model still has 4 bits.',
  'group-wise-8':
    'Weights are rounded to 8 bits in groups of 32. The training shifts each group, so the recovered model still has 8 bits.',
  lora: 'Weights stay as they are. A small low-rank change is trained and then added to them.',
} as const;

/** A short training of the pruned model, live: the third stage of the method. */
export function RecoveryPanel() {
  const { data: model } = useModel();
  const outcome = usePlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const { recoverMethod, recoverSteps, recoveryRun, tasks } = useStudioFields(
    'recoverMethod',
    'recoverSteps',
    'recoveryRun',
    'tasks',
  );
  const { run, cancel } = useJobs().recovery;
  const { kept, forget } = useKeptTraining();
  const own = kept?.same ? kept : undefined;
  const running = tasks.recover !== undefined;
  const stopped = own?.records.at(-1)?.step ?? 0;
  return (
    <Panel
      id="recovery"
      title="Recover"
      hint="A short training of the pruned model. It gives back part of what pruning cost."
    >
      <div className="fields">
        <RecoveryFields />
        <div className="field field-action">
          {own && (
            <button
              type="button"
              className="primary"
              disabled={!model || !plan || running}
              onClick={() => plan && void run(plan, own)}
            >
              {isFinished(own) ? 'Bring it back' : `Continue from step ${stopped}`}
            </button>
          )}
          <button
            type="button"
            className={own ? undefined : 'primary'}
            disabled={!model || !plan || running}
            onClick={() => plan && void run(plan)}
          >
            {own ? 'Start anew' : 'Recover'}
          </button>
        </div>
      </div>
      <RecoveryDetails />
      <p className="soft small recovery-about">{ABOUT[recoverMethod]} Larger models need a smaller learning rate.</p>
      <div className="task-slot">
        <TaskProgress name="recover" label="Starting" onCancel={cancel} cancelLabel="Stop and keep the best" />
        {recoveryRun?.state.status === 'failed' && <Notice kind="error">{recoveryRun.state.message}</Notice>}
        {recoveryRun?.state.status === 'stopped' && (
          <p className="soft small">Stopped before the first measurement. Nothing was kept.</p>
        )}
        {kept && (
          <p className="soft small">
            {keptSentence(kept)}{' '}
            <button type="button" className="link" onClick={forget}>
              Forget it
            </button>
          </p>
        )}
      </div>
      <Course run={recoveryRun} kept={own} method={recoverMethod} steps={recoveryRun?.steps ?? recoverSteps} />
      <RecoveredExport />
    </Panel>
  );
}

/** What is kept of a training, and what to do with it. */
function keptSentence(kept: KeptTraining): string {
  const finished = isFinished(kept);
  const at = `step ${kept.records.at(-1)?.step ?? 0} of ${kept.steps}`;
  if (kept.same && finished)
    return 'This training is finished and is kept in this browser. Bring it back to read what the model writes, and to export it.';
  if (kept.same) return `This training stopped at ${at} and is kept in this browser. It goes on exactly from there.`;
  const name = `${formatPercent(kept.ratio)} removed, ${recoveryMethodName(methodOf(kept))}`;
  const [state, when] = finished ? ['finished', 'It comes back'] : [`stopped at ${at}`, 'It goes on'];
  return `Another training is kept in this browser: ${name}, ${state}. ${when} when plan, text and settings are the same again. Recover puts a new one in its place.`;
}

/** Numbers beside the curve, of the run that goes or went last, else of the one that is kept. */
function Course({
  run,
  kept,
  method,
  steps,
}: {
  readonly run: RecoveryRun | undefined;
  readonly kept: KeptTraining | undefined;
  readonly method: RecoveryMethod;
  readonly steps: number;
}) {
  const { ref, width } = useWidth<HTMLDivElement>();
  const points = lossPoints(run ? [...run.earlier, ...run.progress] : (kept?.records ?? []));
  const best = bestPoint(points);
  return (
    <div className="recovery-course">
      <RecoveryReadings run={run} kept={kept} method={run?.method ?? method} points={points} best={best} />
      <div ref={ref} className="recovery-curve">
        <LossCurve points={points} steps={steps} best={best?.step} width={Math.max(220, width)} />
        <button
          type="button"
          className="link"
          disabled={points.length === 0}
          onClick={() => download('losses.csv', new Blob([lossesCsv(points)], { type: 'text/csv' }))}
        >
          Losses, CSV
        </button>
      </div>
    </div>
  );
}
