import { isRemoved } from '../../architecture/forward.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import type { ScorePrograms } from './score-programs.ts';

/** The first layer of the longest tail of layers whose kept activations of `rows` token positions of `bytesEach` a number fit `bytes` together; the number of layers where none does. */
export function keepFrom(
  store: WeightStore,
  score: (layer: number) => ScorePrograms,
  rows: number,
  bytes: number,
  bytesEach: number,
): number {
  const { architecture } = store.model;
  let [layer, left] = [architecture.config.layers, bytes];
  while (layer > 0) {
    if (!isRemoved(store, layer - 1)) {
      const shapes = new Map(architecture.blockWeights(layer - 1).map(({ input, shape }) => [input, shape]));
      left -= rows * score(layer - 1).keptWidth((weight) => shapes.get(weight) ?? []) * bytesEach;
    }
    if (left < 0) break;
    layer--;
  }
  return layer;
}
