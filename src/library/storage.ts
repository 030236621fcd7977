import { type Model, modelOf } from '../architecture/model.ts';
import { decoderGraph } from '../decoder/decoder-graph.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { groupTable } from '../importance/structures/group-table.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { writeModel } from '../onnx/write.ts';
import { makePlan } from '../plan/make-plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import { type StorageCost, storageFor, weightBytes } from '../plan/search/storage.ts';
import { keptTokens, withVocabulary } from '../plan/search/vocabulary.ts';
import { layoutWithTokens } from '../surgery/vocabulary.ts';
import type { OpenModel } from './open-model.ts';

/** Corrections until an export fits: what rounding to groups, widths, blocks of inputs and aligned tensors leaves. Each weighs twice the last: an excess may be far smaller than the step in which plans change. */
const ATTEMPTS = 16;

/** Bytes of graph and weights that the export of a model has: from its layout, no weight is read. */
export function exportedBytes(open: OpenModel, dataType: ExportDataType): number {
  return bytesOfExport(open.model, dataType);
}

/** The same of a model that is not open. */
export function bytesOfExport(model: Model, dataType: ExportDataType): number {
  const { graph, weights } = decoderGraph(model, { dataType });
  return weights.byteLength + writeModel(graph).byteLength;
}

/**
 * Storage costs by which a plan's export stays within a target in bytes or memory to the byte: those that scores tell, with `fixed` corrected by the layout of the
 * exports of the dense model and of the plan. For other targets the costs do not matter. Throws what `makePlan` throws.
 */
export function exactStorage(open: OpenModel, scores: Scores, options: PlanOptions): StorageCost {
  const { target, dtype = 'f32', vocabulary } = options;
  const table = groupTable(scores.groups);
  const known = withVocabulary(scores.model, vocabulary, table.parameters);
  let storage = storageFor(dtype, known, table);
  if (target.kind !== 'bytes' && target.kind !== 'memory') return storage;
  const bytesOf = ({ model }: OpenModel) =>
    bytesOfExport(
      vocabulary === undefined
        ? model
        : modelOf(layoutWithTokens(model.checkpoint, keptTokens(vocabulary, open.config.vocabulary))),
      dtype,
    );
  const estimate = weightBytes({ block: table.parameters, other: known.parameters - table.parameters }, storage);
  storage = { ...storage, fixed: storage.fixed + bytesOf(open) - estimate };
  const cachePerHead = target.kind === 'memory' ? 2 * open.config.headDimension * target.context * storage.cache : 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { layers } = makePlan(scores, { ...options, storage });
    using pruned = open.pruned(layers);
    const heads = pruned.config.layerWidths.reduce((sum, { keyValueHeads }) => sum + keyValueHeads, 0);
    const excess = bytesOf(pruned) + heads * cachePerHead - target.value;
    if (excess <= 0) break;
    storage = { ...storage, fixed: storage.fixed + Math.ceil(excess) * 2 ** attempt };
  }
  return storage;
}
