import type { Scores } from '../../../importance/sums/scores.ts';
import { hasMetrics } from '../../../plan/metric.ts';
import { SEARCHES } from '../../../plan/search/searches.ts';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio } from '../../store.ts';
import { MethodField } from './method-field.tsx';

const METRIC_CHOICES = [
  'element-second+fisher',
  'element-second+fisher+wanda',
  'kronecker+fisher',
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

const REPAIRS = [
  { value: 'none', label: 'none' },
  { value: 'bias', label: 'bias' },
  { value: 'least-squares', label: 'least squares' },
] as const;

/** By which rule groups go, and how what is left is repaired. */
export function PlanRules({ scores }: { readonly scores: Scores | undefined }) {
  const recipe = useStudio((state) => state.recipe);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const present = METRIC_CHOICES.filter((expression) => !scores || hasMetrics(scores, expression));
  const metrics = present.includes(recipe.metric ?? '') ? present : [recipe.metric ?? '', ...present];
  return (
    <div className="fields plan-rules">
      <MethodField scores={scores} />
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
      <SelectField
        label="Repair"
        value={recipe.compensate ?? 'none'}
        options={REPAIRS}
        onChange={(compensate) => changeRecipe({ compensate })}
      />
    </div>
  );
}
