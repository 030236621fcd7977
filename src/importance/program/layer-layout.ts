import type { Architecture } from '../../architecture/architecture.ts';
import { MissingError } from '../../errors.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import type { LayerLayout } from '../sums/sum-table.ts';

/** What the sums of a layer are about. `shapeOf` throws MissingError for a weight that the layer has not. */
export function layerLayout(
  architecture: Architecture,
  layer: number,
  structures: readonly CoupledStructure[],
): LayerLayout {
  const shapes = new Map(architecture.blockWeights(layer).map(({ input, shape }) => [input, shape]));
  return {
    structures,
    shapeOf: (weight) => {
      const shape = shapes.get(weight);
      if (!shape) throw new MissingError(`Layer ${layer} has no weight "${weight}".`);
      return shape;
    },
  };
}
