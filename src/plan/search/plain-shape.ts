import { UsageError } from '../../errors.ts';
import { type GroupTable, groupCount, type Segment } from '../../importance/structures/group-table.ts';
import { keepWidths } from './round-widths.ts';

/** A shape that programs which know only the dense family can load: the same number of neurons in every layer, all attention groups kept. */
export type PlainShape = 'uniform' | 'standard';

/** Widths of `standard` are multiples of this: blocks of 4-bit formats hold so many values. */
const STANDARD_MULTIPLE = 32;

export interface PlainShapeOptions {
  readonly shape: PlainShape;
  /** What one group of each segment counts. */
  readonly costs: readonly number[];
  /** What is to go, in the unit of the costs. */
  readonly amount: number;
  /** The target is an upper bound of what stays: never less goes than `amount`. Otherwise as near to it as the width allows. */
  readonly isBound: boolean;
  /** Widths are multiples of it; with `standard` of 32 as well. */
  readonly multiple: number;
  /** Neurons that stay in every layer. */
  readonly minimum: number;
  readonly protectedLayers: ReadonlySet<number>;
}

/**
 * Removes the neurons that come first in `order` within each layer until all layers have one width, the one that meets the amount. Returns 1 for every removed group [groups].
 * Throws UsageError where layers are protected, where layers differ already in their attention, and where no width meets the target.
 */
export function removeToPlainShape(table: GroupTable, order: Uint32Array, options: PlainShapeOptions): Uint8Array {
  const { shape, costs, amount, isBound, minimum, protectedLayers } = options;
  if (protectedLayers.size > 0)
    throw new UsageError(
      `The shape "${shape}" gives every layer the same width, so no layer can stay whole. Protect none, or choose the shape "free".`,
    );
  const multiple = shape === 'standard' ? leastCommonMultiple(STANDARD_MULTIPLE, options.multiple) : options.multiple;
  const present = table.segments.filter((segment) => groupCount(segment) > 0);
  checkAttention(present, shape);
  const layers = table.segments.flatMap((segment, index) =>
    segment.module === 'mlp' && groupCount(segment) > 0 ? [{ segment, cost: costs[index] as number }] : [],
  );
  const widest = Math.min(...layers.map(({ segment }) => groupCount(segment)));
  const removed = (width: number) =>
    layers.reduce((sum, { segment, cost }) => sum + (groupCount(segment) - width) * cost, 0);
  const isWhole = layers.every(({ segment }) => groupCount(segment) === widest);
  // The whole width stays possible where it is no multiple: nothing is removed then.
  const steps = Array.from({ length: Math.floor(widest / multiple) }, (_, i) => (i + 1) * multiple);
  const widths = [...(isWhole && widest % multiple !== 0 ? [widest] : []), ...steps.reverse()].filter(
    (width) => width >= Math.min(minimum, widest),
  );
  const width = isBound
    ? widths.find((each) => removed(each) >= amount)
    : widths.reduce<number | undefined>(
        (best, each) =>
          best === undefined || Math.abs(removed(each) - amount) < Math.abs(removed(best) - amount) ? each : best,
        undefined,
      );
  const least = widths.at(-1);
  if (
    width === undefined ||
    (least !== undefined && amount > removed(least) + (removed(least - multiple) - removed(least)) / 2)
  )
    throw new UsageError(
      `No width that is a multiple of ${multiple} meets the target in the shape "${shape}", which keeps all attention: ${least ?? widest} neurons a layer is the least. Ask for less, lower the minimums, or choose the shape "free".`,
    );
  const gone = new Uint8Array(table.length);
  keepWidths(table, order, gone, new Map<Segment, number>(layers.map(({ segment }) => [segment, width])));
  return gone;
}

/** Throws UsageError for a compensation that would add biases to a standard shape. */
export function checkCompensation(shape: string | undefined, compensate: string): void {
  if (shape === 'standard' && compensate !== 'none')
    throw new UsageError(
      `The shape "standard" has no biases, and the compensation "${compensate}" adds them. Choose the shape "uniform", or compensate none.`,
    );
}

function checkAttention(present: readonly Segment[], shape: PlainShape): void {
  const groups = new Set(present.filter(({ module }) => module === 'attention').map(groupCount));
  if (groups.size > 1)
    throw new UsageError(
      `The layers of this model have different numbers of attention groups (${[...groups].join(', ')}), which the shape "${shape}" keeps. Choose the shape "free".`,
    );
}

function leastCommonMultiple(a: number, b: number): number {
  const divisor = (x: number, y: number): number => (y === 0 ? x : divisor(y, x % y));
  return (a / divisor(a, b)) * b;
}
