import { useId } from 'react';
import { SEARCHES } from '../../saap/search/searches.ts';
import { useScores } from '../data/use-engine.ts';
import { usePlan, usePlanSummary } from '../data/use-plan.ts';
import { formatBytes, formatChange, formatCount, formatPercent } from '../parts/format.ts';
import { Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { useStudio } from '../state/store.ts';
import { MethodField } from './method-field.tsx';
import { RatioSlider } from './ratio-slider.tsx';
import { TargetField } from './target-field.tsx';

const PRESETS = [0.1, 0.2, 0.3, 0.5] as const;

const METRIC_CHOICES = [
  'element-second+fisher',
  'element-first+fisher',
  'element-first+vector',
  'element-second',
  'element-first',
  'fisher',
  'vector',
  'magnitude-l2',
  'wanda',
  'random',
];

/** How much goes, and by which rule. */
export function PlanPanel() {
  const outcome = usePlan();
  const summary = usePlanSummary();
  const { data: scores } = useScores();
  const { recipe, changeRecipe, setRatio, undo, redo, past, future } = useStudio();
  const sliderId = useId();
  const plan = outcome?.ok ? outcome.plan : undefined;
  const ratio = recipe.target.kind === 'ratio' ? recipe.target.value : (plan?.ratio ?? 0);
  const metrics = METRIC_CHOICES.includes(recipe.metric ?? '') ? METRIC_CHOICES : [recipe.metric ?? '', ...METRIC_CHOICES];
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
      <dl className="before-after" data-plan={plan ? 'made' : 'none'}>
        <Row
          name="Parameters"
          before={plan && formatCount(plan.parametersBefore)}
          after={plan && formatCount(plan.parametersAfter)}
          change={plan && formatChange(plan.parametersAfter, plan.parametersBefore)}
        />
        <Row
          name={`Size, ${recipe.dtype ?? 'f32'}`}
          before={summary && formatBytes(summary.bytesBefore)}
          after={summary && formatBytes(summary.bytesAfter)}
          change={summary && formatChange(summary.bytesAfter, summary.bytesBefore)}
        />
        <Row
          name="Attention groups"
          before={summary && formatCount(summary.attentionGroups)}
          after={summary && formatCount(summary.attentionGroups - summary.attentionRemoved)}
          change={summary && `−${summary.attentionRemoved}`}
        />
        <Row
          name="Neurons"
          before={summary && formatCount(summary.neurons)}
          after={summary && formatCount(summary.neurons - summary.neuronsRemoved)}
          change={summary && `−${formatCount(summary.neuronsRemoved)}`}
        />
      </dl>
      <div className="fields plan-rules">
        <MethodField />
        <SelectField
          label="Rank by"
          value={recipe.metric ?? ''}
          options={metrics.map((value) => ({ value, label: value }))}
          onChange={(metric) => changeRecipe({ metric })}
        />
        <SelectField
          label="Search"
          value={recipe.search ?? 'tempered'}
          options={SEARCHES.map(({ name }) => ({ value: name, label: name }))}
          onChange={(search) => changeRecipe({ search })}
        />
      </div>
      <ProtectedLayers layers={scores?.groups.length ?? 0} />
      <p className="soft small plan-time">{outcome?.ok ? `Planned in ${outcome.milliseconds < 1 ? 'under 1' : Math.round(outcome.milliseconds)} ms.` : ' '}</p>
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
        {protect.length === 0 ? 'No layer is protected. Click a layer’s number to keep it whole.' : `Kept whole: layer ${protect.join(', ')}.`}
      </span>
      <button type="button" className="link" disabled={layers < 3} onClick={() => changeRecipe({ protect: endsAre || protect.length > 0 ? [] : ends })}>
        {protect.length > 0 ? 'Free all' : 'Protect first and last'}
      </button>
    </div>
  );
}

function Row({
  name,
  before,
  after,
  change,
}: {
  readonly name: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly change: string | undefined;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <span className="before">{before ?? '…'}</span>
        <span className="after">{after ?? '…'}</span>
        <span className="change">{change ?? ''}</span>
      </dd>
    </div>
  );
}
