import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { sha256OfText } from '../../checkpoint/files/sha256.ts';
import { FileFormatError, MismatchError } from '../../errors.ts';
import type { OpenModel } from '../../library/open-model.ts';
import { type Recovered, type RecoveryProgress, recover } from '../../library/recover.ts';
import type { RecoverOptions } from '../../library/recover-options.ts';
import { VERSION } from '../../library/version.ts';
import type { Plan } from '../../plan/plan.ts';
import type { OnProgress } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { KeptTraining, TrainingKeeper, TrainingSettings } from './kept-training.ts';
import type { RecoveredModel, Repair } from './repaired-models.ts';

/** Settings of a training that have defaults of their own. */
export type TrainingDetails = Pick<RecoverOptions, (typeof DETAILS)[number]>;

const DETAILS = [
  ...(['rank', 'scale', 'dropout', 'warmupSteps', 'weightDecay', 'patience'] as const),
  ...(['accumulation', 'maxGradientNorm', 'evaluateEvery', 'heldOutShare'] as const),
] as const;

export interface RecoverRequest extends TrainingSettings, TrainingDetails {
  /** Text to train on; a share of its windows is held out and measured. */
  readonly text: string;
  /** Tokens per window. */
  readonly length: number;
  /** Windows of one step. */
  readonly batchWindows: number;
  readonly learningRate: number;
  readonly seed: number;
  /** What the training makes small: KL from the dense model, cross-entropy with the text, or both. Absent: the text's. */
  readonly loss?: 'kl' | 'text' | 'both' | undefined;
  /** What the pruned model had before the training. */
  readonly repair?: Repair | undefined;
  /** Go on from what is kept of this training, in place of starting anew; a finished one makes its model again without a step. See `keptTraining`. */
  readonly resume?: boolean | undefined;
}

/** How a recovery went, and the number of the model that it made. */
export interface Recovery extends RecoveredModel, Omit<Recovered, 'model'> {}

export interface Recovering {
  /** Ends the training with the best so far; before its first measurement it rejects with CancelledError. */
  readonly stop?: AbortSignal | undefined;
  readonly onProgress?: OnProgress | undefined;
  /** Each step and measurement as it is made. */
  readonly onStep?: ((progress: RecoveryProgress) => void) | undefined;
}

export interface RecoverCalls {
  /** The training that is kept, as far as it went; null for nothing. */
  keptTraining(plan: Plan, request: RecoverRequest): Promise<KeptTraining | null>;
  forgetTraining(): Promise<void>;
  /**
   * Trains adapters on the pruned model (docs/method.md section 7). Until it is finished, or another is started, the training is kept in this browser.
   */
  recover(plan: Plan, request: RecoverRequest, options?: Recovering): Promise<Recovery>;
}

export function recoverCalls(bench: Bench): RecoverCalls {
  const { models, trainings } = bench;
  return {
    keptTraining: async (plan, request) =>
      (await trainings.find(() => trainingKey(bench.model, plan, request))) ?? null,

    forgetTraining: () => trainings.clear(),

    recover: (plan, request, options = {}) =>
      bench.heavy(
        () =>
          models.use(plan, request.repair, { signal: options.stop, onProgress: options.onProgress }, async (open) => {
            const key = await trainingKey(bench.model, plan, request);
            const windows = await bench.windowsOf(request.text, request.length);
            const job = { ...request, key, ratio: plan.ratio };
            const { checkpoint, ...recovery } = await recoverModel(open, bench.model, windows, job, trainings, options);
            return { ...recovery, recovered: models.keepRecovered(checkpoint) };
          }),
        options,
        // Its steps were told.
        () => false,
      ),
  };
}

/** Tells trainings apart: model, plan, repair, text and settings, and the version that trains. */
async function trainingKey(
  { model }: OpenModel,
  { layers }: Plan,
  { resume: _resume, ...request }: RecoverRequest,
): Promise<string> {
  return sha256OfText(JSON.stringify([VERSION, await model.checkpoint.sha256(), layers, request]));
}

/** A training with its key and the ratio of its plan. */
interface RecoveryJob extends RecoverRequest {
  readonly key: string;
  readonly ratio: number;
}

/**
 * Trains adapters on a pruned model and returns how it went, with the checkpoint of the recovered model, which is a view of the one that was given. The training
 * stays kept when it is over: gone on from when it is finished, it makes the recovered model again without a step.
 */
async function recoverModel(
  open: OpenModel,
  dense: OpenModel,
  windows: readonly ArrayLike<number>[],
  {
    key,
    ratio,
    method,
    bits,
    steps,
    batchWindows,
    learningRate,
    seed,
    loss = 'text',
    resume = false,
    ...job
  }: RecoveryJob,
  keeper: TrainingKeeper,
  { stop: signal, onProgress, onStep }: Recovering,
): Promise<Omit<Recovered, 'model'> & { readonly checkpoint: Checkpoint }> {
  const training = await keeper.begin({ key, ratio, method, bits, steps }, resume, signal);
  const recovering = recover(open, {
    ...givenDetails(job),
    ...{ method, bits, steps, batchWindows, learningRate, seed, signal, checkpoint: training.checkpoint },
    ...{ loss, teacher: loss === 'text' ? undefined : dense },
    examples: windows.map((tokens) => ({ tokens })),
    onTeacher: onProgress,
    onProgress: (progress) => {
      training.onProgress(progress);
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

/** The settings that were given: what was not has its default. */
function givenDetails(job: TrainingDetails): TrainingDetails {
  return Object.fromEntries(
    DETAILS.flatMap((name) => (job[name] === undefined ? [] : [[name, job[name]]])),
  ) as TrainingDetails;
}
