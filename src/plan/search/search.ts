import type { GroupTable } from '../../importance/structures/group-table.ts';

/** What a search sees. */
export interface SearchContext {
  readonly table: GroupTable;
  /** Importance of every group [groups]: fused, and adjusted for stability where that was asked for. */
  readonly importance: Float64Array;
  /** The share of the prunable parameters that is to go, whatever the target is given in. */
  readonly ratio: number;
  /** Layers of which nothing is removed. */
  readonly protectedLayers: ReadonlySet<number>;
  /** Exponent of `tempered`; undefined: the ratio. */
  readonly gamma: number | undefined;
  /** Factor on the attention priorities, and tilt over depth (`tempered.ts`). */
  readonly balance: { readonly attention: number; readonly depth: number };
}

/**
 * One variant of adaptive structure search (docs/method.md section 4): a pure function that says in which order structures are given up. One shared routine removes
 * them until the target is met (`remove.ts`), so each layer's share is an outcome of the priorities.
 */
export interface Search {
  readonly name: string;
  /** What it ranks: groups, or whole blocks. */
  readonly unit: 'group' | 'block';
  /** Priorities [groups] or [layers]: the lowest goes first, ties in the table's order. Finite. */
  rank(context: SearchContext): Float64Array;
  /** Layers that this search keeps whole, for a model of so many layers. */
  readonly protects?: (layers: number) => readonly number[];
  /** The exponent of (1 + stability) where the recipe gives none. */
  readonly stability?: number;
  /** True where `balance` has an effect. */
  readonly balanced?: true;
}
