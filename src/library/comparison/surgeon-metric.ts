import { readWeights } from '../../architecture/weights.ts';
import type { Objective } from '../../importance/program/objective.ts';
import { outputFactors } from '../../importance/program/output-factors.ts';
import { groupTable } from '../../importance/structures/group-table.ts';
import type { LongRunning } from '../../progress.ts';
import { surgeonImportance } from '../../surgery/surgeon.ts';
import type { OpenModel } from '../open-model.ts';

/** The importance of every group [groups], in the order of `groupTable`, by the optimal brain surgeon (`surgeonImportance`): of attention groups by the columns of o, of neurons by those of down. */
export async function surgeonMetric(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  options: LongRunning & { readonly objective: Objective },
): Promise<Float64Array> {
  const { checkpoint, architecture } = open.model;
  const table = groupTable(open.layerGroups());
  const values = new Float64Array(table.length);
  await outputFactors(open.programs, open.store, windows, {
    ...options,
    structuresOf: open.structuresOf,
    onLayer: async (layer, factors) => {
      const weights = await readWeights(checkpoint, architecture.blockWeights(layer));
      for (const { projection, products, gradients } of factors) {
        for (const { kind, groups, members } of open.structuresOf(layer)) {
          const member = members.find(({ weight }) => weight === projection.weight);
          const weight = weights[projection.weight];
          const segment = table.segments.find((each) => each.layer === layer && each.module === kind);
          if (!member || !weight || !segment) continue;
          const [outputs = 0, inputs = 0] = weight.shape;
          const layerFactors = { outputs, inputs, products, gradients };
          values.set(
            surgeonImportance(layerFactors, weight.data as Float32Array, member.groupOfChannel, groups),
            segment.start,
          );
        }
      }
    },
  });
  return values;
}
