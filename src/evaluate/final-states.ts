import { batchesOf, windowsPerRun } from '../architecture/batches.ts';
import { disposeAll, forwardBlocks } from '../architecture/forward.ts';
import { checkComputed } from '../architecture/not-finite.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import { finishedWork } from '../runtime/finished-work.ts';
import type { HostTensor } from '../runtime/runtime.ts';

/** Tokens per pass over the layers. */
const PASS_TOKENS = 16_384;

/** States after the last block of a batch of windows. */
export interface FinalStates {
  readonly windows: readonly ArrayLike<number>[];
  /** Of the first of them among all windows. */
  readonly first: number;
  /** [windows, tokens, hiddenSize], on the host. */
  readonly hidden: HostTensor;
}

/**
 * Runs equally long windows through the blocks, layer by layer in passes over many windows, and shows `visit` the states after the last block batch by batch.
 * Throws DeviceError for states that are no numbers to compute with.
 */
export async function visitFinalStates(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  options: LongRunning & { readonly stage: string },
  visit: (states: FinalStates) => Promise<void>,
): Promise<void> {
  const tokens = windows[0]?.length ?? 1;
  const perBatch = windowsPerRun(tokens);
  const perPass = Math.max(perBatch, Math.floor(PASS_TOKENS / tokens / perBatch) * perBatch);
  for (let start = 0; start < windows.length; start += perPass) {
    const pass = windows.slice(start, start + perPass);
    const batches = batchesOf(pass, perBatch);
    // The head counts as a layer.
    const units = (store.model.architecture.config.layers + 1) * batches.length;
    const report = (done: number) =>
      options.onProgress?.({
        stage: options.stage,
        completed: start + Math.floor((pass.length * done) / units),
        total: windows.length,
        unit: 'windows',
      });
    const finished = finishedWork(programs.runtime);
    const passes = units - batches.length;
    const states = await forwardBlocks(programs, store, batches, {
      signal: options.signal,
      onPass: async (layer, batch) => {
        const done = layer * batches.length + batch + 1;
        if (options.onProgress && (await finished(done === passes))) report(done);
      },
    });
    try {
      for (const [index, batch] of batches.entries()) {
        throwIfCancelled(options.signal);
        const state = states[index];
        if (!state) throw new MismatchError(`The forward pass returned ${states.length} batches of ${batches.length}.`);
        const hidden = await programs.runtime.read(state);
        await checkComputed(programs, store, batch, [], hidden.data as Float32Array);
        await visit({ windows: batch, first: start + index * perBatch, hidden });
        report(passes + index + 1);
      }
    } finally {
      disposeAll(states);
    }
  }
}
