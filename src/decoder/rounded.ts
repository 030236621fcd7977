import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { dequantiseGroups } from '../checkpoint/group-quantised.ts';
import { floatToHalf, halfToFloat } from '../checkpoint/half.ts';
import { dequantiseBlocks } from './dequantise.ts';
import { EXPORT_FORMATS, type ExportDataType, QUANTISATION_BLOCK } from './dtypes.ts';
import { groupsOfValues, hasGrids } from './group-blocks.ts';
import { quantiseBlocks } from './quantise.ts';
import type { QuantisedMatrices } from './quantised-matrices.ts';

/**
 * A view of a checkpoint with every weight as the number format leaves it. Block programs on it are what a decoder in that format must
 * reproduce closely, so that a wrong decoder is not mistaken for a coarse one. `tables` are the tensors that are stored in the bits of the embedding: itself, the output matrix, and what `sensitiveTensors` names; what `kept` has is not rounded again, and `exact` are those that stay in the format's activations.
 */
export function roundedCheckpoint(
  checkpoint: Checkpoint,
  dataType: ExportDataType,
  tables: readonly string[],
  kept?: QuantisedMatrices,
  exact: readonly string[] = [],
): Checkpoint {
  const { activations, bits, embeddingBits } = EXPORT_FORMATS[dataType];
  return {
    ...checkpoint,
    async read(name, rows) {
      const shape = checkpoint.tensors.get(name)?.shape ?? [];
      const [count = 0] = shape;
      // Kernels of convolutions, and what is exact, have no blocks.
      const columns = shape.length === 2 && !exact.includes(name) ? shape[1] : undefined;
      const known = columns === undefined ? undefined : kept?.read(name, columns, rows ?? { start: 0, end: count });
      if (known) return known;
      const values = await checkpoint.read(name, rows);
      const used = tables.includes(name) ? embeddingBits : bits;
      if (columns !== undefined && used !== undefined && hasGrids(checkpoint, name, used))
        return checkpoint.groupQuantised?.(name) ? values : dequantiseGroups(groupsOfValues(values, columns, used));
      if (columns !== undefined && used !== undefined)
        return dequantiseBlocks(
          quantiseBlocks(values, columns, used, QUANTISATION_BLOCK),
          columns,
          used,
          QUANTISATION_BLOCK,
        );
      return activations === 'float16' ? halfToFloat(floatToHalf(values)) : values;
    },
  };
}
