import { MismatchError, UsageError } from '../../errors.ts';
import type { Recipe, Target } from '../../surgery/plan.ts';
import type { Scores } from '../scores.ts';
import type { GroupTable } from './group-table.ts';

type ExportType = NonNullable<Recipe['dtype']>;

/** Bytes that parameters take in an export. */
export interface StorageCost {
  /** Per weight of a block's matrices: for q8 and q4 the code and its share of a float32 scale per 32 inputs. */
  readonly block: number;
  /** Per other parameter: embedding, head, norms. */
  readonly other: number;
  /** Per number of the key/value cache. */
  readonly cache: number;
}

export const STORAGE_COSTS: Readonly<Record<ExportType, StorageCost>> = {
  f32: { block: 4, other: 4, cache: 4 },
  f16: { block: 2, other: 2, cache: 2 },
  q8: { block: 1 + 4 / 32, other: 4, cache: 4 },
  q4: { block: 1 / 2 + 4 / 32, other: 4, cache: 4 },
};

/** Bytes of a model's weights: `block` of the prunable parameters are left, all others stay. */
export function weightBytes(model: { readonly block: number; readonly other: number }, cost: StorageCost): number {
  return model.block * cost.block + model.other * cost.other;
}

/** A target in the unit that groups are paid in. */
export interface Removal {
  /** What one group of each segment counts. */
  readonly costs: readonly number[];
  /** How much must go, in the unit of the costs. */
  readonly amount: number;
  readonly unit: 'parameters' | 'bytes';
}

/**
 * What has to be removed to meet a target: in parameters, or in bytes where the key/value cache counts too.
 * Throws UsageError for a target outside its domain, naming the domain, and MismatchError where the score file's config lacks the head size.
 */
export function removalFor(target: Target, table: GroupTable, model: Scores['model'], cost: StorageCost): Removal {
  const { value } = target;
  const costs = table.segments.map(({ parametersPerGroup }) => parametersPerGroup);
  const other = model.parameters - table.parameters;
  if (!Number.isFinite(value) || value < 0) throw new UsageError(`The ${target.kind} target is ${value}; it must be a number, 0 or more.`);
  switch (target.kind) {
    case 'ratio':
      if (value >= 1) throw new UsageError(`The ratio is ${value}; it must be 0 or more and below 1: the share of the attention and MLP weights to remove.`);
      return { costs, amount: value * table.parameters, unit: 'parameters' };
    case 'parameters':
      if (value > model.parameters) throw new UsageError(`The target of ${value} parameters is more than the ${model.parameters} that the model has.`);
      return { costs, amount: model.parameters - value, unit: 'parameters' };
    case 'bytes': {
      const before = weightBytes({ block: table.parameters, other }, cost);
      if (value > before) throw new UsageError(`The target of ${value} bytes is more than the ${Math.round(before)} that the whole model takes.`);
      return { costs, amount: (before - value) / cost.block, unit: 'parameters' };
    }
    case 'memory': {
      const { context } = target;
      if (!Number.isInteger(context) || context < 1)
        throw new UsageError(`The context of a memory target is ${context}; it must be a whole number of tokens, 1 or more.`);
      const cache = 2 * headDimension(model.config) * context * cost.cache;
      const byteCosts = table.segments.map(({ module, parametersPerGroup }) => parametersPerGroup * cost.block + (module === 'attention' ? cache : 0));
      const before = other * cost.other + table.segments.reduce((sum, { start, end }, i) => sum + (end - start) * (byteCosts[i] as number), 0);
      if (value > before)
        throw new UsageError(`The target of ${value} bytes at ${context} tokens is more than the ${Math.round(before)} that the whole model takes.`);
      return { costs: byteCosts, amount: before - value, unit: 'bytes' };
    }
  }
}

/** The head size from a Hugging Face config: `head_dim`, or `hidden_size` / `num_attention_heads`. */
function headDimension(config: Readonly<Record<string, unknown>>): number {
  const { head_dim: given, hidden_size: hidden, num_attention_heads: heads } = config;
  const size = typeof given === 'number' ? given : Number(hidden) / Number(heads);
  if (Number.isInteger(size) && size > 0) return size;
  throw new MismatchError(
    `The model's config gives no head size (head_dim is ${given}, hidden_size ${hidden}, num_attention_heads ${heads}), which a memory target needs. Give a target in bytes.`,
  );
}
