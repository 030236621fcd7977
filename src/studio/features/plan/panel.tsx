import { useId } from 'react';
import { useScores } from '../../data/use-engine.ts';
import { formatPercent } from '../../parts/format.ts';
import { Notice } from '../../parts/notice.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useStudio, useStudioFields } from '../../store.ts';
import { PlanAdvanced } from './plan-advanced.tsx';
import { PlanOutcomeTable } from './plan-outcome-table.tsx';
import { PlanRules } from './plan-rules.tsx';
import { RatioSlider } from './ratio-slider.tsx';
import { RefineField } from './refine-field.tsx';
import { TargetField } from './target-field.tsx';
import { usePlan, usePlanSummary } from './use-plan.ts';

const PRESETS = [0.1, 0.2, 0.3, 0.5] as const;

/** How much goes, and by which rule. */
export function PlanPanel() {
  const outcome = usePlan();
  const summary = usePlanSummary();
  const { data: scores } = useScores();
  const { recipe, setRatio, undo, redo, past, future } = useStudioFields(
    'recipe',
    'setRatio',
    'undo',
    'redo',
    'past',
    'future',
  );
  const sliderId = useId();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const ratio = recipe.target.kind === 'ratio' ? recipe.target.value : (plan?.ratio ?? 0);
  return (
    <Panel
      id="plan"
      title="Plan"
      aside={
        <>
          <button type="button" className="quiet" disabled={past.length === 0} onClick={undo}>
            Undo
          </button>
          <button type="button" className="quiet" disabled={future.length === 0} onClick={redo}>
            Redo
          </button>
        </>
      }
    >
      <div className="ratio-control">
        <label className="ratio-figure" htmlFor={sliderId}>
          <span className="figure">{formatPercent(ratio)}</span>
          <span className="soft small">of attention and MLP weights go</span>
        </label>
        <RatioSlider id={sliderId} ratio={ratio} label="Ratio to remove" />
        <div className="presets">
          {PRESETS.map((preset) => (
            <button
              key={preset}
              type="button"
              className={preset === ratio ? 'quiet chosen' : 'quiet'}
              aria-pressed={preset === ratio}
              onClick={() => setRatio(preset)}
            >
              {formatPercent(preset)}
            </button>
          ))}
        </div>
        <TargetField plan={plan} summary={summary} ratio={ratio} />
      </div>
      {outcome && !outcome.ok && <Notice kind="error">{outcome.message}</Notice>}
      <PlanOutcomeTable plan={plan} summary={summary} dtype={recipe.dtype ?? 'f32'} />
      <PlanRules scores={scores} />
      <RefineField plannable={plan !== undefined} />
      <ProtectedLayers layers={scores?.groups.length ?? 0} />
      <PlanAdvanced scores={scores} />
      <p className="soft small plan-time">
        {outcome?.ok
          ? `Planned in ${outcome.milliseconds < 1 ? 'under 1' : Math.round(outcome.milliseconds)} ms.`
          : ' '}
      </p>
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
          ? 'No layer is protected. Click a layer’s number to keep it whole.'
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
