import { type LayerGroups, MODULES, type Module } from './structures.ts';

/** The groups of one module of one layer: entries [start, end) of every flat array. */
export interface Segment {
  readonly layer: number;
  readonly module: Module;
  readonly start: number;
  readonly end: number;
  readonly parametersPerGroup: number;
  /** Of experts that go as a whole: how many stay. */
  readonly minimum?: number;
}

/**
 * All groups of a model in one flat order: by layer, attention and convolution before MLP, then by index. A stable sort over it breaks ties in this order.
 * Layers have a segment for attention and for MLP, empty where there are no such groups, and one for a convolution where there is one.
 */
export interface GroupTable {
  readonly segments: readonly Segment[];
  readonly layers: number;
  /** Number of groups. */
  readonly length: number;
  /** Sum of the parameters of all groups: what a ratio is a share of. */
  readonly parameters: number;
}

/** Lays the groups of all layers out in one flat order. */
export function groupTable(groups: readonly LayerGroups[]): GroupTable {
  const segments: Segment[] = [];
  let length = 0;
  let parameters = 0;
  for (const [layer, layerGroups] of groups.entries()) {
    for (const module of MODULES) {
      const found = layerGroups[module];
      if (!found) continue;
      const { groups: count, parametersPerGroup, minimum } = found;
      segments.push({
        layer,
        module,
        start: length,
        end: length + count,
        parametersPerGroup,
        ...(minimum !== undefined && { minimum }),
      });
      length += count;
      parameters += count * parametersPerGroup;
    }
  }
  return { segments, layers: groups.length, length, parameters };
}

/** Number of groups of a segment. */
export function groupCount(segment: Segment): number {
  return segment.end - segment.start;
}

/** The index of the segment of every group [groups]. */
export function segmentOfGroups(table: GroupTable): Uint32Array {
  const owner = new Uint32Array(table.length);
  for (const [index, { start, end }] of table.segments.entries()) owner.fill(index, start, end);
  return owner;
}
