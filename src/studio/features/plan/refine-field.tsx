import { RefineTrace } from '../../charts/refine-trace.tsx';
import { useWidth } from '../../charts/use-width.ts';
import { useModel, useScores } from '../../data/use-engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudio } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';

/** The search that measures: pruned models are run on calibration text, and the best of them becomes the plan. */
export function RefineField({ plannable }: { readonly plannable: boolean }) {
  const { data: scores } = useScores();
  const { data: model } = useModel();
  const measured = useStudio((state) => state.recipe.measured);
  const running = useStudio((state) => state.tasks.refine !== undefined);
  const run = useJobs().refine;
  const { ref, width } = useWidth<HTMLDivElement>();
  return (
    <div className="refine" ref={ref}>
      <div className="refine-line">
        <button
          type="button"
          disabled={!model || !scores || !plannable || running}
          onClick={() => scores && run.mutate(scores)}
        >
          Refine by measuring
        </button>
        <span className="soft small">
          {measured
            ? `Refined: ${measured.of === 'kl' ? 'KL from the dense model' : 'loss'} ${measured.loss.toFixed(3)} nats on calibration text, the lowest of ${measured.evaluations} plans.`
            : 'Runs some forty pruned models on calibration text and keeps the best.'}
        </span>
      </div>
      <TaskProgress name="refine" label="Refining" onCancel={run.cancel} />
      {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
      {run.data && !run.data.adopted && (
        <Notice kind="note">
          The recipe was changed while plans were measured, so the one that was found is not taken.
        </Notice>
      )}
      {run.data && (measured || !run.data.adopted) && width > 0 && (
        <RefineTrace measurements={run.data.measurements} candidates={run.data.candidates} width={width} height={84} />
      )}
    </div>
  );
}
