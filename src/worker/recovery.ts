import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { OpenModel } from '../library/open-model.ts';
import { type Recovered, recover } from '../library/recover.ts';
import type { Recovering, RecoverRequest } from './engine.ts';

/** Trains adapters on a pruned model and returns how it went, with the checkpoint of the recovered model, which is a view of the one that was given. */
export async function recoverModel(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  { method, bits, steps, batchWindows, learningRate, seed }: RecoverRequest,
  { signal, onProgress, onStep }: Recovering,
): Promise<Omit<Recovered, 'model'> & { readonly checkpoint: Checkpoint }> {
  const { model, ...recovery } = await recover(open, {
    ...{ method, bits, steps, batchWindows, learningRate, seed, signal },
    examples: windows.map((tokens) => ({ tokens })),
    onProgress: (progress) => {
      onProgress?.(progress);
      onStep?.(progress);
    },
  });
  const { checkpoint } = model.model;
  model.dispose();
  return { ...recovery, checkpoint };
}
