import {
  bytesPerActivation,
  bytesPerParameter,
  type ExportDataType,
  embeddingBytesPerParameter,
} from '../../decoder/dtypes.ts';
import type { GroupTable } from '../../importance/structures/group-table.ts';
import type { Scores } from '../../importance/sums/scores.ts';

/** Bytes that parameters take in an export. */
export interface StorageCost {
  /** Per weight of a block's matrices: for q8 and q4 the code and its share of the scale and zero point of 32 inputs. */
  readonly block: number;
  /** Per other parameter, on average: embedding, head, norms. */
  readonly other: number;
  /** Per number of the key/value cache. */
  readonly cache: number;
  /** Whatever the export has beside its parameters: rotary tables, the graph. */
  readonly fixed: number;
}

/** Of very long contexts an export keeps tables for so many positions. */
const LONGEST_TABLE = 32_768;

/**
 * How an export in `dtype` stores a model, from what a score file knows: its parameters, groups and config. Exact but for the padding of rows that do not divide into
 * blocks of 32, the alignment of tensors and the graph itself, which depend on the plan; see `exactStorage` for these.
 */
export function storageFor(
  dtype: ExportDataType,
  model: Pick<Scores['model'], 'parameters' | 'config'>,
  table: Pick<GroupTable, 'parameters'>,
): StorageCost {
  const number = (key: string) => (typeof model.config[key] === 'number' ? (model.config[key] as number) : 0);
  const activation = bytesPerActivation(dtype);
  const other = model.parameters - table.parameters;
  const hiddenSize = number('hidden_size');
  const matrix = number('vocab_size') * hiddenSize;
  // Tied or not: what is left beside the blocks says it.
  const embeddings = Math.min(other, other >= 2 * matrix ? 2 * matrix : matrix);
  const embeddingBytes = embeddings * embeddingBytesPerParameter(dtype, hiddenSize) + (other - embeddings) * activation;
  const rotary = number('head_dim') || hiddenSize / (number('num_attention_heads') || 1);
  return {
    block: bytesPerParameter(dtype),
    other: other > 0 ? embeddingBytes / other : activation,
    cache: activation,
    // Cosine and sine of half the head size.
    fixed: Math.min(number('max_position_embeddings'), LONGEST_TABLE) * rotary * activation,
  };
}

/** Bytes of a model's export: `block` of the prunable parameters are left, all others stay. */
export function weightBytes(model: { readonly block: number; readonly other: number }, cost: StorageCost): number {
  return model.block * cost.block + model.other * cost.other + cost.fixed;
}
