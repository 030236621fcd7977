import { reached, reachedSentence } from '../../../plan/reached.ts';
import { useScores } from '../../data/use-engine.ts';
import { Panel } from '../../parts/panel.tsx';
import { useStudio } from '../../store.ts';
import { OpenRecipe } from '../model/open-recipe.tsx';
import { VocabularyPanel } from '../vocabulary/panel.tsx';
import { PassesField } from './passes-field.tsx';
import { PlanAdvanced } from './plan-advanced.tsx';
import { PlanOutcomeTable } from './plan-outcome-table.tsx';
import { PlanRules } from './plan-rules.tsx';
import { RefineField } from './refine-field.tsx';
import { SpeedTargetField } from './speed-target.tsx';
import { TargetField } from './target-field.tsx';
import { useGivenPlan, usePlan, usePlanSummary, useRatio } from './use-plan.ts';

/** How much goes and by which rule: everything that the bench's slider leaves to its defaults. */
export function RecipePanel() {
  const outcome = usePlan();
  const summary = usePlanSummary();
  const { data: scores } = useScores();
  const ratio = useRatio();
  const given = useGivenPlan();
  const plan = outcome?.ok ? outcome.plan : undefined;
  return (
    <Panel
      id="recipe"
      title="Recipe"
      hint="How much goes, by which rule, and what is done about the damage. Every change can be undone."
      aside={
        <>
          <span className="soft small plan-time">
            {outcome?.ok && !given
              ? `Planned in ${outcome.milliseconds < 1 ? 'under 1' : Math.round(outcome.milliseconds)} ms`
              : ''}
          </span>
          <OpenRecipe />
        </>
      }
    >
      <div className="recipe">
        <div className="recipe-rules">
          <PlanRules scores={scores} />
          <TargetField plan={plan} summary={summary} ratio={ratio} />
          <SpeedTargetField />
          {plan && scores && <p className="soft small">{reachedSentence(reached(scores, plan), plan)}</p>}
        </div>
        <div>
          <PlanOutcomeTable plan={plan} summary={summary} />
          <VocabularyPanel plan={plan} summary={summary} />
          <ProtectedLayers layers={scores?.groups.length ?? 0} />
        </div>
        <div>
          <RefineField plannable={plan !== undefined} />
          <PassesField plannable={plan !== undefined} />
        </div>
      </div>
      <PlanAdvanced scores={scores} />
    </Panel>
  );
}

function ProtectedLayers({ layers }: { readonly layers: number }) {
  const protect = useStudio((state) => state.recipe.protect) ?? [];
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const ends = [0, layers - 1];
  const endsAre = ends.every((layer) => protect.includes(layer));
  return (
    <div className="protected-layers small">
      <span className="soft">
        {protect.length === 0
          ? 'No layer is protected. Click a layer’s number on the map to keep it whole.'
          : `Kept whole: layer ${protect.join(', ')}.`}
      </span>
      <button
        type="button"
        className="link"
        disabled={layers < 3}
        onClick={() => changeRecipe({ protect: endsAre || protect.length > 0 ? [] : ends })}
      >
        {protect.length > 0 ? 'Free all' : 'Protect first and last'}
      </button>
    </div>
  );
}
