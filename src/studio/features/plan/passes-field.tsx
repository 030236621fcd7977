import { useModel, useScores } from '../../data/use-engine.ts';
import { Notice } from '../../parts/notice.tsx';
import { NumberField } from '../../parts/number-field.tsx';
import { TaskProgress } from '../../parts/task-progress.tsx';
import { useStudioFields } from '../../store.ts';
import { useJobs } from '../frame/jobs.tsx';
import { useGivenPlan } from './use-plan.ts';

/** Pruning in passes: a part goes, what is left is scored, and so on. Also says that the groups on the bench were given, and how to plan from the scores again. */
export function PassesField({ plannable }: { readonly plannable: boolean }) {
  const { data: scores } = useScores();
  const { data: model } = useModel();
  const given = useGivenPlan();
  const { recipePasses, tasks, setCalibration, changeRecipe, recipe } = useStudioFields(
    'recipePasses',
    'tasks',
    'setCalibration',
    'changeRecipe',
    'recipe',
  );
  const run = useJobs().passes;
  return (
    <div className="refine">
      <div className="passes-line">
        <button
          type="button"
          disabled={!model || !scores || !plannable || tasks.passes !== undefined}
          onClick={() => scores && run.mutate(scores)}
        >
          Plan in passes
        </button>
        <NumberField
          label="Passes"
          value={recipePasses}
          min={2}
          max={20}
          onChange={(value) => setCalibration({ recipePasses: Math.round(value) })}
        />
        <span className="soft small">Scores what is left after each part that goes: as long as so many scorings.</span>
      </div>
      <TaskProgress name="passes" label="Planning in passes" onCancel={run.cancel} />
      {run.error && run.error.name !== 'CancelledError' && <Notice kind="error">{run.error.message}</Notice>}
      {run.data?.adopted === false && (
        <Notice kind="note">The recipe was changed meanwhile, so the plan that was found is not taken.</Notice>
      )}
      {given && (
        <p className="small" role="status">
          The groups are those of <strong>{given.from}</strong>, until the recipe is changed or the page is loaded anew.{' '}
          <button type="button" className="link" onClick={() => changeRecipe({ target: { ...recipe.target } })}>
            Plan from the scores
          </button>
        </p>
      )}
    </div>
  );
}
