import type { MethodRecipe } from '../saap/method.ts';

/** Random groups, with LLM-Pruner's selection (Ma, Fang and Wang 2023, arXiv 2305.11627, where it is a baseline too): what pruning costs without a score. */
export const RANDOM: MethodRecipe = { name: 'random', metric: 'random', search: 'uniform', source: 'seeded random groups, LLM-Pruner selection' };

/** Independent uniform numbers in (0, 1) [count], the same for the same seed everywhere. */
export function randomScores(count: number, seed: number): Float64Array {
  const next = randomUint32(seed);
  const scores = new Float64Array(count);
  for (let i = 0; i < count; i++) scores[i] = (next() + 0.5) / 2 ** 32;
  return scores;
}

/** SplitMix32: a counter with an increment of 2^32 / golden ratio, hashed by murmur3's finaliser. Passes the usual tests and needs no state but a word. */
function randomUint32(seed: number): () => number {
  let counter = seed >>> 0;
  return () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let hash = counter;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) >>> 0;
  };
}
