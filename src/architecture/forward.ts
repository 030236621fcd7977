import { throwIfCancelled } from '../errors.ts';
import type { DeviceTensor, HostTensor } from '../runtime/runtime.ts';
import { isRemovedLayer } from './block-weights.ts';
import type { Programs } from './programs.ts';
import type { WeightStore } from './weight-store.ts';
import type { DeviceWeights } from './weights.ts';

/** Rows whose logits exist at once: at most this many values of vocabulary size. */
const LOGIT_VALUES = 16 << 20;

/** Rows of the head program that keep the logits of a chunk within a fixed budget. */
export function headRows(vocabulary: number): number {
  return Math.max(16, Math.min(512, Math.floor(LOGIT_VALUES / vocabulary)));
}

/** True for a block that pruning removed as a whole: it passes its input on. */
export function isRemoved(store: WeightStore, layer: number): boolean {
  const widths = store.model.architecture.config.layerWidths[layer];
  return widths !== undefined && isRemovedLayer(widths);
}

/** How states pass the blocks of a model; without options every block runs on its own weights and frees what entered it. */
export interface StreamOptions {
  readonly signal?: AbortSignal | undefined;
  /** Stops before this layer. Default: all layers. */
  readonly layers?: number;
  /** What a layer runs on, made when its turn comes and disposed after its last batch; without any, states pass it unchanged. Default: its lease. */
  readonly weights?: (layer: number, states: readonly DeviceTensor[]) => Promise<DeviceWeights | undefined>;
  /** Runs one batch through a layer. It takes over `hidden`, to keep or to free, unless it throws. Default: the block program. */
  readonly run?: (weights: DeviceWeights, hidden: DeviceTensor, layer: number, batch: number) => Promise<DeviceTensor>;
  /** Positions [tokens] of each batch's tokens; default: from 0 on. */
  readonly positions?: readonly ArrayLike<number>[];
  /** A batch has passed a layer, be it a removed one. On a graphics device its run may only be submitted. */
  readonly onPass?: (layer: number, batch: number) => void | Promise<void>;
}

/** Hidden states [windows, tokens, hiddenSize] of batches of equally long windows, owned by the caller. */
export async function embedBatches(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  positions: readonly ArrayLike<number>[] = [],
): Promise<DeviceTensor[]> {
  const states: DeviceTensor[] = [];
  try {
    using weights = await store.lease('embed');
    for (const [index, batch] of batches.entries()) states.push(await programs.embed(weights, batch, positions[index]));
    return states;
  } catch (error) {
    disposeAll(states);
    throw error;
  }
}

/**
 * The loop over layers: takes over hidden states [windows, tokens, hiddenSize], one tensor a batch, and runs all batches through one block after the other, so that
 * each layer's weights are on the device once. Blocks that were removed pass their input on.
 * Returns the states after the last block, owned by the caller; frees those that it holds when it throws.
 */
export async function streamBlocks(
  programs: Programs,
  store: WeightStore,
  entering: readonly DeviceTensor[],
  options: StreamOptions = {},
): Promise<DeviceTensor[]> {
  const { signal, layers = store.model.architecture.config.layers } = options;
  const lease = options.weights ?? ((layer: number) => store.lease(layer));
  const run =
    options.run ??
    (async (weights: DeviceWeights, hidden: DeviceTensor, layer: number) => {
      const output = await programs.block(weights, hidden, layer);
      hidden.dispose();
      return output;
    });
  const states = [...entering];
  try {
    for (let layer = 0; layer < layers; layer++) {
      throwIfCancelled(signal);
      using weights = isRemoved(store, layer) ? undefined : await lease(layer, states);
      for (const [batch, hidden] of states.entries()) {
        throwIfCancelled(signal);
        if (weights) states[batch] = await run(weights, hidden, layer, batch);
        await options.onPass?.(layer, batch);
      }
    }
    return states;
  } catch (error) {
    disposeAll(states);
    throw error;
  }
}

/** Runs batches of windows through embedding and blocks (`streamBlocks`). Returns the states after the last block, owned by the caller. */
export async function forwardBlocks(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  options: StreamOptions = {},
): Promise<DeviceTensor[]> {
  return await streamBlocks(programs, store, await embedBatches(programs, store, batches, options.positions), options);
}

/** Frees the states of all batches. */
export function disposeAll(states: readonly DeviceTensor[]): void {
  for (const state of states) state.dispose();
}

/** Splits hidden states [batch, tokens, hiddenSize] on the host into row chunks for the head program. */
export function* rowChunks(
  hidden: HostTensor,
  rows: number,
): Generator<{ readonly start: number; readonly chunk: HostTensor }> {
  const hiddenSize = hidden.shape.at(-1) ?? 1;
  const data = hidden.data as Float32Array;
  const total = data.length / hiddenSize;
  for (let start = 0; start < total; start += rows) {
    const count = Math.min(rows, total - start);
    yield {
      start,
      chunk: {
        dataType: 'float32',
        shape: [count, hiddenSize],
        data: data.subarray(start * hiddenSize, (start + count) * hiddenSize),
      },
    };
  }
}

/** Next-token targets of windows, row by row; the last row of a window predicts nothing and gets id 0 with weight 0. */
export function nextTokenTargets(windows: readonly ArrayLike<number>[]): {
  readonly targets: BigInt64Array;
  readonly weights: Float32Array;
} {
  const tokens = windows[0]?.length ?? 0;
  const targets = new BigInt64Array(windows.length * tokens);
  const weights = new Float32Array(windows.length * tokens);
  windows.forEach((window, row) => {
    for (let token = 0; token + 1 < tokens; token++) {
      targets[row * tokens + token] = BigInt(window[token + 1] ?? 0);
      weights[row * tokens + token] = 1 / (tokens - 1);
    }
  });
  return { targets, weights };
}
