import { type GroupTable, groupCount, segmentOfGroups } from '../../importance/structures/group-table.ts';

/** What removing costs and what must stay, per segment of the table. */
export interface RemovalLimits {
  /** What one group of the segment counts towards the target: its parameters, or its bytes. */
  readonly costs: readonly number[];
  /** Groups that stay whatever the target; all of them in a protected layer. */
  readonly minimums: readonly number[];
}

/** The most that can be removed within the limits. */
export function removableCost(table: GroupTable, { costs, minimums }: RemovalLimits): number {
  return table.segments.reduce(
    (sum, segment, i) => sum + Math.max(0, groupCount(segment) - (minimums[i] as number)) * (costs[i] as number),
    0,
  );
}

/** The step that a target is met to: the cost of the cheapest MLP group, or of the cheapest group where there is none. */
export function removalStep(table: GroupTable, costs: readonly number[]): number {
  const present = table.segments
    .map((segment, i) => ({ segment, cost: costs[i] as number }))
    .filter(({ segment }) => groupCount(segment) > 0);
  const neurons = present.filter(({ segment }) => segment.module === 'mlp');
  return Math.min(...(neurons.length > 0 ? neurons : present).map(({ cost }) => cost));
}

/**
 * Removes groups in the given order until what is removed comes within half a step of `target`. A group is passed over where too few would stay in its
 * layer and module, or where it would overshoot the target by more than one step. Returns 1 for every removed group [groups].
 */
export function removeInOrder(
  table: GroupTable,
  order: Uint32Array,
  limits: RemovalLimits,
  target: number,
): Uint8Array {
  const owner = segmentOfGroups(table);
  const costs = Float64Array.from(limits.costs);
  const spare = Float64Array.from(table.segments, (segment, i) => groupCount(segment) - (limits.minimums[i] as number));
  const step = removalStep(table, limits.costs);
  const enough = target - step / 2;
  const most = target + step;
  const gone = new Uint8Array(table.length);
  let removed = 0;
  for (let i = 0; i < order.length && removed < enough; i++) {
    const index = order[i] as number;
    const segment = owner[index] as number;
    const left = spare[segment] as number;
    const cost = costs[segment] as number;
    if (left < 1 || removed + cost > most) continue;
    spare[segment] = left - 1;
    removed += cost;
    gone[index] = 1;
  }
  return gone;
}

/**
 * Removes whole blocks, lowest priority first, until what is removed comes within half a block of `target`; a block that would overshoot by more than that is
 * passed over. One block always stays. Returns the layers removed.
 */
export function removeBlocks(
  order: Uint32Array,
  costs: readonly number[],
  protectedLayers: ReadonlySet<number>,
  target: number,
): ReadonlySet<number> {
  const gone = new Set<number>();
  let removed = 0;
  for (const layer of order) {
    const cost = costs[layer] as number;
    if (removed + cost / 2 > target) continue;
    if (protectedLayers.has(layer) || gone.size + 1 >= costs.length) continue;
    gone.add(layer);
    removed += cost;
  }
  return gone;
}
