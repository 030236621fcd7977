import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { sha256OfText } from '../checkpoint/files/sha256.ts';
import { FileFormatError, MismatchError } from '../errors.ts';
import type { OpenModel } from '../library/open-model.ts';
import { type Recovered, recover } from '../library/recover.ts';
import { VERSION } from '../library/version.ts';
import type { Plan } from '../plan/plan.ts';
import type { Recovering, RecoverRequest } from './engine.ts';
import type { TrainingKeeper } from './kept-training.ts';

/** Tells trainings apart: model, plan, repair, text and settings, and the version that trains. */
export async function trainingKey(
  { model }: OpenModel,
  { layers }: Plan,
  { goOn: _goOn, ...request }: RecoverRequest,
): Promise<string> {
  return sha256OfText(JSON.stringify([VERSION, await model.checkpoint.sha256(), layers, request]));
}

/** A training with its key and the ratio of its plan. */
export interface RecoveryJob extends RecoverRequest {
  readonly key: string;
  readonly ratio: number;
}

/**
 * Trains adapters on a pruned model and returns how it went, with the checkpoint of the recovered model, which is a view of the one that was given. The training
 * stays kept when it is over: gone on from when it is finished, it makes the recovered model again without a step.
 */
export async function recoverModel(
  open: OpenModel,
  windows: readonly ArrayLike<number>[],
  { key, ratio, method, bits, steps, batchWindows, learningRate, seed, goOn = false }: RecoveryJob,
  keeper: TrainingKeeper,
  { signal, onProgress, onStep }: Recovering,
): Promise<Omit<Recovered, 'model'> & { readonly checkpoint: Checkpoint }> {
  const training = await keeper.begin({ key, ratio, method, bits, steps }, goOn, signal);
  const recovering = recover(open, {
    ...{ method, bits, steps, batchWindows, learningRate, seed, signal, checkpoint: training.checkpoint },
    examples: windows.map((tokens) => ({ tokens })),
    onProgress: (progress) => {
      training.hear(progress);
      onProgress?.(progress);
      onStep?.(progress);
    },
  });
  const { model, ...recovery } = await recovering.catch(async (error: unknown) => {
    if (!training.resumed || !(error instanceof FileFormatError || error instanceof MismatchError)) throw error;
    await keeper.clear();
    throw new FileFormatError(
      'What was kept of this training cannot be read. It was deleted; press Recover to start anew.',
      { cause: error },
    );
  });
  const { checkpoint } = model.model;
  model.dispose();
  return { ...recovery, checkpoint };
}
