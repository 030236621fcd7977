import { UsageError } from '../errors.ts';
import type { ContextGroup } from './tasks-encode.ts';

/** A continuation's token: the row whose hidden state predicts it, and which continuation it belongs to. */
export interface ScoredToken {
  readonly row: number;
  readonly target: number;
  /** Index of the group among those that were packed, and of the continuation in it. */
  readonly group: number;
  readonly continuation: number;
}

/**
 * Several contexts, each followed by all of its continuations, in one sequence of tokens: a context is computed once for its choices. A token
 * sees what it would see in a sequence of its own: its context and its own continuation, at the positions that they would have there.
 */
export interface Pack {
  /** [tokens], padded at the end with id 0. */
  readonly tokenIds: Int32Array;
  /** [tokens], of the token in its own sequence. */
  readonly positions: Int32Array;
  /** [tokens]; a branch is one context or one continuation, numbered through. */
  readonly branches: Int32Array;
  /** [branches]; the branch that it continues, or itself. */
  readonly parents: readonly number[];
  readonly scored: readonly ScoredToken[];
}

/** Sizes of packs are multiples of this, so that few shapes occur. */
const MULTIPLE = 16;

/** Tokens that a group has in a pack: the last token of a continuation predicts nothing and is left out. */
export function packedTokens({ context, continuations }: ContextGroup): number {
  return continuations.reduce((sum, { length }) => sum + length - 1, context.length);
}

/** Packs groups, longest first, each into the first pack with room; a longer group than `tokens` has a pack to itself. */
export function packGroups(groups: readonly ContextGroup[], tokens: number): Pack[] {
  const order = groups
    .map((group, index) => ({ group, index, size: packedTokens(group) }))
    .sort((a, b) => b.size - a.size || a.index - b.index);
  const bins: { room: number; members: typeof order }[] = [];
  for (const entry of order) {
    const bin = bins.find(({ room }) => room >= entry.size);
    if (bin) {
      bin.members.push(entry);
      bin.room -= entry.size;
    } else bins.push({ room: tokens - entry.size, members: [entry] });
  }
  return bins.map(({ members }) => pack(members));
}

/**
 * Each context with one of its continuations, in a sequence of its own: for models whose layers carry more from token to token than masks can hide, such as convolutions.
 */
export function separateSequences(groups: readonly ContextGroup[]): Pack[] {
  return groups.flatMap(({ context, continuations }, group) =>
    continuations.map((ids, continuation): Pack => {
      const [alone] = packGroups([{ context: [...context, ...ids.slice(0, -1)], continuations: [] }], 0);
      if (!alone) throw new UsageError('A continuation without tokens was given; it has no likelihood.');
      const scored = ids.map((target, offset) => ({ row: context.length - 1 + offset, target, group, continuation }));
      return { ...alone, scored };
    }),
  );
}

function pack(
  members: readonly { readonly group: ContextGroup; readonly index: number; readonly size: number }[],
): Pack {
  const used = members.reduce((sum, { size }) => sum + size, 0);
  const length = Math.ceil(used / MULTIPLE) * MULTIPLE;
  const tokenIds = new Int32Array(length);
  const positions = new Int32Array(length);
  const branches = new Int32Array(length);
  const parents: number[] = [];
  const scored: ScoredToken[] = [];
  let row = 0;
  const append = (ids: readonly number[], start: number, parent: number | undefined): number => {
    const branch = parents.length;
    parents.push(parent ?? branch);
    for (const [offset, id] of ids.entries()) {
      tokenIds[row] = id;
      positions[row] = start + offset;
      branches[row] = branch;
      row += 1;
    }
    return branch;
  };
  for (const { group, index } of members) {
    const { context } = group;
    const branch = append(context, 0, undefined);
    const last = row - 1;
    for (const [continuation, ids] of group.continuations.entries()) {
      const first = row;
      append(ids.slice(0, -1), context.length, branch);
      for (const [offset, target] of ids.entries())
        scored.push({ row: offset === 0 ? last : first + offset - 1, target, group: index, continuation });
    }
  }
  // Each padding token is alone with itself.
  while (row < length) append([0], 0, undefined);
  return { tokenIds, positions, branches, parents, scored };
}

/** Hidden from a token; finite, and beyond any score in float32. */
const MASKED = -1e9;

/** Additive mask [tokens, tokens] of a pack: 0 where a token may look. With `window`, only at itself and the window - 1 positions before. */
export function packMask({ positions, branches, parents }: Pack, window = Number.POSITIVE_INFINITY): Float32Array {
  const tokens = positions.length;
  const mask = new Float32Array(tokens * tokens).fill(MASKED);
  for (let query = 0; query < tokens; query++) {
    const branch = branches[query] as number;
    const parent = parents[branch] ?? branch;
    const position = positions[query] as number;
    for (let key = 0; key <= query; key++) {
      const other = branches[key] ?? -1;
      if ((other === branch || other === parent) && position - (positions[key] as number) < window)
        mask[query * tokens + key] = 0;
    }
  }
  return mask;
}
