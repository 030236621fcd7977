import { METHODS } from '../../../plan/methods/methods.ts';
import { DEFAULT_ROUND_TO } from '../../../plan/plan-options.ts';
import type { RecipeChoices } from './slice.ts';

/** A recipe in a few words, without its target: 'saap, refined + bias, 2 layers whole'. */
export function recipeLabel(recipe: RecipeChoices): string {
  const {
    metric,
    search,
    gamma,
    stability,
    balance,
    measured,
    compensate = 'none',
    protect = [],
    minimumNeurons,
    minimumAttentionGroups,
    roundTo,
  } = recipe;
  const named = METHODS.find((method) => method.metric === metric && method.search === search);
  const tuned = gamma !== undefined || stability !== undefined || balance !== undefined;
  const method = named?.name ?? (measured || tuned ? 'saap' : `${metric}, ${search}`);
  const parts = [
    `${method}${compensate === 'none' ? '' : ` + ${compensate === 'bias' ? 'bias' : 'least squares'}`}`,
    ...(measured ? ['refined'] : tuned ? ['tuned'] : []),
    ...(protect.length > 0 ? [`${protect.length === 1 ? '1 layer' : `${protect.length} layers`} whole`] : []),
    ...(roundTo !== undefined && roundTo !== DEFAULT_ROUND_TO ? [`steps of ${roundTo}`] : []),
    ...(minimumNeurons !== undefined || minimumAttentionGroups !== undefined ? ['own minimums'] : []),
  ];
  return parts.join(', ');
}
