import { headRows, nextTokenTargets, rowChunks } from '../../architecture/forward.ts';
import { checkComputed } from '../../architecture/not-finite.ts';
import type { Programs } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';

/** Mean loss of each window, and the gradient of it with respect to the states after the last block, batch by batch. */
export async function headGradients(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  states: readonly DeviceTensor[],
  options: LongRunning,
): Promise<{ readonly losses: readonly number[]; readonly batches: DeviceTensor[] }> {
  const gradients: DeviceTensor[] = [];
  const losses: number[] = [];
  try {
    using weights = await store.lease('head');
    for (const [index, batch] of batches.entries()) {
      throwIfCancelled(options.signal);
      const state = states[index];
      if (!state) throw new MismatchError(`The forward pass returned ${states.length} batches of ${batches.length}.`);
      const hidden = await programs.runtime.read(state);
      const tokens = batch[0]?.length ?? 0;
      const { targets, weights: rowWeights } = nextTokenTargets(batch);
      const gradient = new Float32Array(hidden.data.length);
      const batchLosses = new Float64Array(batch.length);
      for (const { start, chunk } of rowChunks(hidden, headRows(store.model.architecture.config.vocabulary))) {
        const [rows = 0, hiddenSize = 0] = chunk.shape;
        const part = await programs.lossGradient(
          weights,
          chunk,
          targets.subarray(start, start + rows),
          rowWeights.subarray(start, start + rows),
        );
        gradient.set(part.gradient, start * hiddenSize);
        part.losses.forEach((value, row) => {
          const window = Math.floor((start + row) / tokens);
          batchLosses[window] = (batchLosses[window] ?? 0) + value * (rowWeights[start + row] ?? 0);
        });
      }
      await checkComputed(programs, store, batch, batchLosses, hidden.data as Float32Array);
      losses.push(...batchLosses);
      gradients.push(programs.runtime.upload({ dataType: 'float32', shape: hidden.shape, data: gradient }));
    }
    return { losses, batches: gradients };
  } catch (error) {
    for (const gradient of gradients) gradient.dispose();
    throw error;
  }
}
