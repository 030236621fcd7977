import { throwIfCancelled } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import { finishedWork } from '../runtime/finished-work.ts';
import type { DeviceTensor, HostTensor } from '../runtime/runtime.ts';
import type { Programs } from './programs.ts';
import type { WeightStore } from './weight-store.ts';

/** Rows whose logits exist at once: at most this many values of vocabulary size. */
const LOGIT_VALUES = 16 << 20;

/** Rows of the head program that keep the logits of a chunk within a fixed budget. */
export function headRows(vocabulary: number): number {
  return Math.max(16, Math.min(512, Math.floor(LOGIT_VALUES / vocabulary)));
}

/** True for a block that pruning removed as a whole: it passes its input on. */
export function isRemoved(store: WeightStore, layer: number): boolean {
  const widths = store.model.architecture.config.layerWidths[layer];
  return widths !== undefined && widths.keyValueHeads === 0 && widths.neurons === 0;
}

/**
 * Runs batches of windows through embedding and blocks, layer by layer, so that each layer's weights are leased once.
 * `onLayer` sees the hidden states [batch, tokens, hiddenSize] that enter a layer and may keep them (return true) — otherwise they are freed.
 * Returns the states after the last block, owned by the caller.
 */
export async function forwardBlocks(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  options: LongRunning & {
    readonly onLayer?: (layer: number, states: readonly DeviceTensor[]) => boolean;
    readonly stage?: string;
  } = {},
): Promise<DeviceTensor[]> {
  const layers = store.model.architecture.config.layers;
  const total = layers * batches.length;
  const finished = finishedWork(programs.runtime);
  const report = async (completed: number) => {
    if (options.onProgress && (await finished(completed === total)))
      options.onProgress({ stage: options.stage ?? 'forward', completed, total, unit: 'passes' });
  };
  let states: DeviceTensor[] = [];
  try {
    {
      using weights = await store.lease('embed');
      for (const batch of batches) states.push(await programs.embed(weights, batch));
    }
    for (let layer = 0; layer < layers; layer++) {
      throwIfCancelled(options.signal);
      if (isRemoved(store, layer)) {
        await report((layer + 1) * batches.length);
        continue;
      }
      const keep = options.onLayer?.(layer, states) ?? false;
      const next: DeviceTensor[] = [];
      const entering = states;
      states = keep ? next : [...entering];
      using weights = await store.lease(layer);
      for (const [index, hidden] of entering.entries()) {
        throwIfCancelled(options.signal);
        const output = await programs.block(weights, hidden, layer);
        if (keep) next.push(output);
        else {
          hidden.dispose();
          states[index] = output;
        }
        await report(layer * batches.length + index + 1);
      }
    }
    return states;
  } catch (error) {
    for (const state of states) state.dispose();
    throw error;
  }
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
