import { MismatchError, UsageError } from '../../errors.ts';
import type { GroupTable } from '../../importance/structures/group-table.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import type { Target } from '../plan.ts';
import { type StorageCost, weightBytes } from './storage.ts';

/** What the whole model counts in the unit of a target; a ratio's unit is the prunable parameters. Throws as `removalFor`. */
export function wholeSize(target: Target, table: GroupTable, model: Scores['model'], cost: StorageCost): number {
  const other = model.parameters - table.parameters;
  switch (target.kind) {
    case 'ratio':
      return table.parameters;
    case 'parameters':
      return model.parameters;
    case 'bytes':
      return weightBytes({ block: table.parameters, other }, cost);
    case 'memory': {
      const costs = memoryCosts(target.context, table, model, cost);
      return (
        other * cost.other +
        cost.fixed +
        table.segments.reduce((sum, { start, end }, i) => sum + (end - start) * (costs[i] as number), 0)
      );
    }
  }
}

/** Bytes of one group of each segment: its weights, and its part of a cache of `context` tokens. */
function memoryCosts(context: number, table: GroupTable, model: Scores['model'], cost: StorageCost): readonly number[] {
  if (!Number.isInteger(context) || context < 1)
    throw new UsageError(
      `The context of a memory target is ${context}; it must be a whole number of tokens, 1 or more.`,
    );
  const cache = 2 * headDimension(model.config) * context * cost.cache;
  return table.segments.map(
    ({ module, parametersPerGroup }) => parametersPerGroup * cost.block + (module === 'attention' ? cache : 0),
  );
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
  const { kind, value } = target;
  const costs = table.segments.map(({ parametersPerGroup }) => parametersPerGroup);
  if (!Number.isFinite(value) || value < 0)
    throw new UsageError(`The ${kind} target is ${value}; it must be a number, 0 or more.`);
  const before = wholeSize(target, table, model, cost);
  const tooMuch = (wanted: string, whole: string) =>
    new UsageError(
      `The target of ${wanted} is more than the ${whole} that the ${kind === 'parameters' ? 'model has' : 'whole model takes'}.`,
    );
  switch (kind) {
    case 'ratio':
      if (value >= 1)
        throw new UsageError(
          `The ratio is ${value}; it must be 0 or more and below 1: the share of the attention and MLP weights to remove.`,
        );
      return { costs, amount: value * before, unit: 'parameters' };
    case 'parameters':
      if (value > before) throw tooMuch(`${value} parameters`, String(before));
      return { costs, amount: before - value, unit: 'parameters' };
    case 'bytes':
      if (value > before) throw tooMuch(`${value} bytes`, String(Math.round(before)));
      return { costs, amount: (before - value) / cost.block, unit: 'parameters' };
    case 'memory':
      if (value > before) throw tooMuch(`${value} bytes at ${target.context} tokens`, String(Math.round(before)));
      return { costs: memoryCosts(target.context, table, model, cost), amount: before - value, unit: 'bytes' };
  }
}

/** The head size from a Hugging Face config: `head_dim`, or `hidden_size` / `num_attention_heads`. Throws MismatchError where it gives none. */
export function headDimension(config: Readonly<Record<string, unknown>>): number {
  const { head_dim: given, hidden_size: hidden, num_attention_heads: heads } = config;
  const size = typeof given === 'number' ? given : Number(hidden) / Number(heads);
  if (Number.isInteger(size) && size > 0) return size;
  throw new MismatchError(
    `The model's config gives no head size (head_dim is ${given}, hidden_size ${hidden}, num_attention_heads ${heads}), which a memory target needs. Give a target in bytes.`,
  );
}
