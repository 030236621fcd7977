import type { LayerPositions } from '../architecture/architecture.ts';
import { mixerOf } from '../architecture/block-weights.ts';
import { disposeAll, forwardBlocks, headRows, rowChunks } from '../architecture/forward.ts';
import { findBeyond } from '../architecture/not-finite.ts';
import type { Positions, Programs } from '../architecture/programs.ts';
import { rotaryTables } from '../architecture/rope.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { findNotFinite } from '../checkpoint/finite.ts';
import { DeviceError, throwIfCancelled } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import type { LikelihoodModel } from './tasks-likelihood.ts';
import { type Pack, packGroups, packMask, separateSequences } from './tasks-packing.ts';

/** Tokens of a pack: enough rows for fast products, few enough that attention between packed items, all masked, costs little. */
const PACK_TOKENS = 256;
/** Tokens per pass over the layers: a streamed model reads its weights once per pass. */
const PASS_TOKENS = { resident: 4096, streamed: 16_384 } as const;

/**
 * Likelihoods by the block programs. Each context is computed once for its choices, several items share a run, layers are the outer loop,
 * and the head sees only the rows that predict a choice's token.
 */
export function blockLikelihoods(programs: Programs, store: WeightStore): LikelihoodModel {
  return {
    passTokens: store.resident ? PASS_TOKENS.resident : PASS_TOKENS.streamed,
    async logLikelihoods(groups, options = {}) {
      const packs = isMasked(store) ? packGroups(groups, PACK_TOKENS) : separateSequences(groups);
      const states = await forwardPacks(programs, store, packs, groups.length, options);
      const sums = groups.map(({ continuations }) => continuations.map(() => 0));
      try {
        for (const { group, continuation, loss } of await scoredLosses(programs, store, packs, states, options)) {
          const row = sums[group];
          if (row) row[continuation] = (row[continuation] ?? 0) - loss;
        }
      } finally {
        disposeAll(states);
      }
      options.onProgress?.({ stage: 'tasks', completed: groups.length, total: groups.length, unit: 'items' });
      return sums;
    },
  };
}

/** Whether masks alone say what a token sees, in every layer. */
function isMasked({ model: { architecture } }: WeightStore): boolean {
  return architecture.config.layerWidths.every((_, layer) => mixerOf(architecture.kind(layer)) === 'attention');
}

/** Hidden states [1, tokens, hiddenSize] of every pack after the last block, owned by the caller. */
async function forwardPacks(
  programs: Programs,
  store: WeightStore,
  packs: readonly Pack[],
  groups: number,
  options: LongRunning,
): Promise<DeviceTensor[]> {
  const { config } = store.model.architecture;
  const positions = packs.map((pack) => new PackPositions(programs, pack));
  const batches = packs.map(({ tokenIds }) => [tokenIds]);
  try {
    return await forwardBlocks(programs, store, batches, {
      signal: options.signal,
      positions: packs.map((pack) => pack.positions),
      run: async (weights, hidden, layer, index) => {
        const output = await programs.block(weights, hidden, layer, positions[index]?.of(layer));
        hidden.dispose();
        return output;
      },
      onPass: (layer, index) => {
        const done = (layer + (index + 1) / packs.length) / config.layers;
        options.onProgress?.({
          stage: 'tasks',
          completed: Math.floor((groups - 1) * done),
          total: groups,
          unit: 'items',
        });
      },
    });
  } finally {
    for (const each of positions) each[Symbol.dispose]();
  }
}

/** -log p of every scored token. */
async function scoredLosses(
  programs: Programs,
  store: WeightStore,
  packs: readonly Pack[],
  states: readonly DeviceTensor[],
  options: LongRunning,
): Promise<{ readonly group: number; readonly continuation: number; readonly loss: number }[]> {
  const { hiddenSize, vocabulary } = store.model.architecture.config;
  const scored = packs.flatMap((pack) => pack.scored);
  const rows = new Float32Array(scored.length * hiddenSize);
  let next = 0;
  for (const [index, pack] of packs.entries()) {
    const state = states[index];
    if (!state) continue;
    const data = (await programs.runtime.read(state)).data as Float32Array;
    for (const { row } of pack.scored) {
      rows.set(data.subarray(row * hiddenSize, (row + 1) * hiddenSize), next * hiddenSize);
      next += 1;
    }
  }
  const beyond = findBeyond(rows);
  const losses = new Float32Array(scored.length);
  using weights = await store.lease('head');
  const hidden = { dataType: 'float32', shape: [scored.length, hiddenSize], data: rows } as const;
  for (const { start, chunk } of rowChunks(hidden, headRows(vocabulary))) {
    throwIfCancelled(options.signal);
    const targets = BigInt64Array.from(scored.slice(start, start + (chunk.shape[0] ?? 0)), ({ target }) =>
      BigInt(target),
    );
    losses.set(await programs.losses(weights, chunk, targets), start);
  }
  const wrong = findNotFinite(losses);
  if (wrong >= 0 || beyond >= 0)
    throw new DeviceError(
      `The loss of a choice cannot be told: ${beyond >= 0 ? `a state is ${rows[beyond]}` : `it is ${losses[wrong]}`} on the backend ${programs.runtime.backend}, though all weights are finite. Evaluate on a text to see in which layer it begins.`,
    );
  return scored.map(({ group, continuation }, index) => ({ group, continuation, loss: losses[index] as number }));
}

/** Rotary tables and masks of one pack, made when a layer first needs them, shared by layers that see positions alike. */
class PackPositions implements Disposable {
  readonly #programs: Programs;
  readonly #pack: Pack;
  readonly #made = new Map<LayerPositions, Omit<Positions, typeof Symbol.dispose>>();

  constructor(programs: Programs, pack: Pack) {
    this.#programs = programs;
    this.#pack = pack;
  }

  of(layer: number): Omit<Positions, typeof Symbol.dispose> {
    const kind = this.#programs.architecture.positions(layer);
    const known = this.#made.get(kind);
    if (known) return known;
    const { positions } = this.#pack;
    const tokens = positions.length;
    const half = kind.inverseFrequencies.length;
    const tables = rotaryTables(kind.inverseFrequencies, Math.max(...positions) + 1, 0, kind.magnitude);
    const upload = (data: Float32Array, columns: number) =>
      this.#programs.runtime.upload({ dataType: 'float32', shape: [tokens, columns], data });
    const atPositions = (table: Float32Array) => {
      const rows = new Float32Array(tokens * half);
      positions.forEach((position, row) => {
        rows.set(table.subarray(position * half, (position + 1) * half), row * half);
      });
      return upload(rows, half);
    };
    const made = {
      cosine: atPositions(tables.cosine),
      sine: atPositions(tables.sine),
      mask: upload(packMask(this.#pack, kind.window), tokens),
    };
    this.#made.set(kind, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const { cosine, sine, mask } of this.#made.values())
      for (const tensor of [cosine, sine, mask]) tensor.dispose();
    this.#made.clear();
  }
}
