import { headRows, nextTokenTargets, rowChunks } from '../../architecture/forward.ts';
import { checkComputed } from '../../architecture/not-finite.ts';
import type { Programs } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError, throwIfCancelled } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import { drawsOf, type Objective, objectiveGradients } from './objective.ts';

/** Mean loss of each window, and the gradient of the objective with respect to the states after the last block: all batches of the first draw, then all of the next. */
export async function headGradients(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  states: readonly DeviceTensor[],
  options: LongRunning & { readonly objective: Objective },
): Promise<{ readonly losses: readonly number[]; readonly batches: DeviceTensor[] }> {
  const { objective } = options;
  const gradients: DeviceTensor[][] = Array.from({ length: drawsOf(objective) }, () => []);
  const losses: number[] = [];
  const { vocabulary } = store.model.architecture.config;
  try {
    using head = await store.lease('head');
    for (const [index, batch] of batches.entries()) {
      throwIfCancelled(options.signal);
      const state = states[index];
      if (!state) throw new MismatchError(`The forward pass returned ${states.length} batches of ${batches.length}.`);
      const hidden = await programs.readStates(state);
      const tokens = batch[0]?.length ?? 0;
      const { targets, weights } = nextTokenTargets(batch);
      const all = gradients.map(() => new Float32Array(hidden.data.length));
      const batchLosses = new Float64Array(batch.length);
      for (const { start, chunk } of rowChunks(hidden, headRows(vocabulary))) {
        const [rows = 0, hiddenSize = 0] = chunk.shape;
        const part = await objectiveGradients(programs, head, objective, {
          chunk,
          first: losses.length * tokens + start,
          tokens,
          targets: targets.subarray(start, start + rows),
          weights: weights.subarray(start, start + rows),
        });
        for (const [draw, gradient] of part.gradients.entries()) all[draw]?.set(gradient, start * hiddenSize);
        for (let row = 0; row < rows; row++) {
          const window = Math.floor((start + row) / tokens);
          batchLosses[window] = (batchLosses[window] ?? 0) + (part.losses[row] as number) * (weights[start + row] ?? 0);
        }
      }
      await checkComputed(programs, store, batch, batchLosses, hidden.data as Float32Array);
      losses.push(...batchLosses);
      for (const [draw, data] of all.entries())
        gradients[draw]?.push(programs.runtime.upload({ dataType: 'float32', shape: hidden.shape, data }));
    }
    return { losses, batches: gradients.flat() };
  } catch (error) {
    for (const gradient of gradients.flat()) gradient.dispose();
    throw error;
  }
}
