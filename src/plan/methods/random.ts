import { createRandom } from '../../random.ts';
import type { MethodRecipe } from './method.ts';

/** Random groups, with LLM-Pruner's selection (Ma, Fang and Wang 2023, arXiv 2305.11627, where it is a baseline too): what pruning costs without a score. */
export const RANDOM: MethodRecipe = {
  name: 'random',
  metric: 'random',
  search: 'uniform',
  source: 'seeded random groups, LLM-Pruner selection',
};

/** Independent uniform numbers in [0, 1) [count], the same for the same seed everywhere. */
export function randomScores(count: number, seed: number): Float64Array {
  const random = createRandom(seed);
  return Float64Array.from({ length: count }, () => random.uniform());
}
