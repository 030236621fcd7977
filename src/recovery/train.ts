import { DeviceError, throwIfCancelled, UsageError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import { AdamW, clipGradients, cosineRate } from './adamw.ts';
import type { AdaptedModel } from './adapted-model.ts';
import type { Distillation } from './distillation.ts';
import { decodeTraining, encodeTraining, type RecoveryRecord, type TrainingState } from './training-state.ts';
import { adapterParameters, meanLoss, stepGradients } from './training-step.ts';
import { partsOf, type TrainingWindow, trainingBatch, windowsOfStep } from './training-windows.ts';

/** Where a training keeps its state, so that it can go on exactly where it stopped. */
export interface RecoveryCheckpoint {
  /** The bytes written last, undefined when there are none. */
  read(): Promise<Uint8Array | undefined>;
  /** Replaces what is kept, whole or not at all. */
  write(bytes: Uint8Array): Promise<void>;
  /** Steps between writes; it is also written at the end and when the work is cancelled. Default: `evaluateEvery`. */
  readonly every?: number;
}

/** One event of a recovery: `stage` is 'recovery' and `completed` of `total` are its steps, so that it can go where any progress goes. */
export interface RecoveryProgress extends Progress {
  /** Steps that are done. */
  readonly step: number;
  /** Steps in all. */
  readonly steps: number;
  /** Mean over the learnt tokens of the last step of what it makes small (KL, cross-entropy or both), in nats; undefined before the first step. */
  readonly loss: number | undefined;
  /** Cross-entropy, where the held-out text was measured at this step. */
  readonly heldOutLoss: number | undefined;
  /** Held-out loss of the model that was given, before any rounding. */
  readonly heldOutBefore: number;
  /** Of the last step. */
  readonly learningRate: number;
  /** Trained tokens, context included, per second so far; 0 before the first step. */
  readonly tokensPerSecond: number;
  /** By the speed so far; undefined before the first step. */
  readonly secondsLeft: number | undefined;
}

/** A training with everything decided; `recover` fills in the defaults. */
export interface Training {
  readonly windows: readonly TrainingWindow[];
  readonly heldOut: readonly TrainingWindow[];
  readonly steps: number;
  readonly warmupSteps: number;
  readonly batchWindows: number;
  readonly windowsPerRun: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly dropout: number;
  readonly maxGradientNorm: number;
  /** What a teacher says on `windows`; absent where the text alone teaches. */
  readonly distillation?: Distillation | undefined;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly patience: number;
  /** Held-out loss of the model that was given; asked for once. */
  readonly heldOutBefore: () => Promise<number>;
  readonly checkpoint?: RecoveryCheckpoint | undefined;
  /** Tells trainings apart, so that no state is taken for another's. */
  readonly fingerprint: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RecoveryProgress) => void) | undefined;
}

/** Why a training ended. */
export type StopReason = 'finished' | 'no longer better' | 'cancelled';

export interface TrainingResult extends TrainingState {
  readonly stoppedBecause: StopReason;
}

/**
 * Trains the adapters of a model in place and leaves the best ones in them: AdamW with decoupled decay, a linear warm-up and a cosine, gradients of a step's
 * windows accumulated over runs and clipped by their common norm, the held-out loss measured as the training goes (docs/method.md section 7).
 * What is random follows from seed and step alone, so that a training that goes on from its checkpoint is bit for bit the one that was never stopped.
 * Cancelling ends it with the best so far; before the first measurement it throws CancelledError.
 */
export async function train(model: AdaptedModel, training: Training): Promise<TrainingResult> {
  const run = new TrainingRun(model, training);
  await run.start();
  let stoppedBecause = run.reasonToStop();
  while (stoppedBecause === undefined) {
    try {
      if (run.isDueToMeasure()) await run.measure();
      else await run.step();
    } catch (error) {
      if (!training.signal?.aborted) throw error;
    }
    stoppedBecause = run.reasonToStop();
    if (stoppedBecause !== undefined || run.isDueToWrite()) await run.write();
  }
  return { ...run.finish(), stoppedBecause };
}

/** The state of one training as it goes. A step that is cancelled or fails leaves it as it was before. */
class TrainingRun {
  readonly #model: AdaptedModel;
  readonly #training: Training;
  readonly #parameters: readonly Float32Array[];
  readonly #heldOut;
  #optimiser: AdamW;
  #state: Omit<TrainingState, 'optimiser' | 'parameters'> | undefined;

  constructor(model: AdaptedModel, training: Training) {
    this.#model = model;
    this.#training = training;
    this.#parameters = adapterParameters(model.layers);
    this.#optimiser = new AdamW(this.#parameters, { weightDecay: training.weightDecay });
    this.#heldOut = partsOf(training.heldOut, training.windowsPerRun).map(trainingBatch);
  }

  /** From the checkpoint, or by the first measurement. */
  async start(): Promise<void> {
    const { checkpoint, fingerprint, signal, weightDecay, heldOutBefore } = this.#training;
    throwIfCancelled(signal);
    const bytes = await checkpoint?.read();
    if (bytes) {
      const sizes = this.#parameters.map(({ length }) => length);
      const { optimiser, parameters, ...state } = await decodeTraining(bytes, fingerprint, sizes);
      for (const [index, values] of parameters.entries()) this.#parameters[index]?.set(values);
      this.#optimiser = new AdamW(this.#parameters, { weightDecay }, optimiser);
      this.#state = state;
    } else {
      const before = await heldOutBefore();
      const loss = await meanLoss(this.#model, this.#heldOut, signal);
      const record: RecoveryRecord = { step: 0, loss: undefined, heldOutLoss: loss, learningRate: 0 };
      this.#state = {
        best: { step: 0, loss, parameters: this.#copy() },
        history: [record],
        heldOutBefore: before,
        tokens: 0,
        seconds: 0,
      };
    }
    this.#report();
  }

  async step(): Promise<void> {
    const {
      windows,
      batchWindows,
      windowsPerRun,
      dropout: share,
      seed,
      signal,
      maxGradientNorm,
      learningRate,
      warmupSteps,
      steps,
    } = this.#training;
    const state = this.#now();
    const started = performance.now();
    const { step } = this.#last();
    const chosen = windowsOfStep(step, batchWindows, windows.length, seed).map(
      (index) => windows[index] as TrainingWindow,
    );
    const { distillation } = this.#training;
    const batches = partsOf(chosen, windowsPerRun).map((part) => {
      const batch = trainingBatch(part);
      return distillation
        ? { ...batch, taught: { teacher: distillation.of(part, batch), loss: distillation.loss } }
        : batch;
    });
    const dropout = share > 0 ? (run: number) => ({ share, seed, step, run }) : undefined;
    const { loss, gradients } = await stepGradients(this.#model, batches, { dropout, signal });
    if (!Number.isFinite(loss))
      throw new DeviceError(
        `The training diverged: the loss of step ${step + 1} is ${loss}. Take a lower learning rate; it was ${learningRate}.`,
      );
    clipGradients(gradients, maxGradientNorm);
    const rate = cosineRate(step, { peak: learningRate, warmUp: warmupSteps, total: steps });
    this.#optimiser.update(gradients, rate);
    const seconds = state.seconds + (performance.now() - started) / 1000;
    const tokens = state.tokens + batches.reduce((sum, batch) => sum + batch.trained, 0);
    this.#state = {
      ...state,
      history: [...state.history, { step: step + 1, loss, heldOutLoss: undefined, learningRate: rate }],
      tokens,
      seconds,
    };
    if (!this.isDueToMeasure()) this.#report();
  }

  /** Whether the last step is one after which the held-out text is measured, and that has not been done: also when it was cancelled in the middle of it. */
  isDueToMeasure(): boolean {
    const { evaluateEvery, steps } = this.#training;
    const { step, heldOutLoss } = this.#last();
    return heldOutLoss === undefined && (step % evaluateEvery === 0 || step === steps);
  }

  async measure(): Promise<void> {
    const state = this.#now();
    const heldOutLoss = await meanLoss(this.#model, this.#heldOut, this.#training.signal);
    const { step } = this.#last();
    const best = heldOutLoss < state.best.loss ? { step, loss: heldOutLoss, parameters: this.#copy() } : state.best;
    this.#state = { ...state, best, history: [...state.history.slice(0, -1), { ...this.#last(), heldOutLoss }] };
    this.#report();
  }

  reasonToStop(): StopReason | undefined {
    const { steps, patience, signal } = this.#training;
    const { history, best } = this.#now();
    if (this.#last().step >= steps && !this.isDueToMeasure()) return 'finished';
    const since = history.filter(({ step, heldOutLoss }) => heldOutLoss !== undefined && step > best.step).length;
    if (since >= patience) return 'no longer better';
    return signal?.aborted ? 'cancelled' : undefined;
  }

  isDueToWrite(): boolean {
    const { checkpoint, evaluateEvery } = this.#training;
    return (
      checkpoint !== undefined &&
      this.#last().step % (checkpoint.every ?? evaluateEvery) === 0 &&
      !this.isDueToMeasure()
    );
  }

  async write(): Promise<void> {
    const { checkpoint, fingerprint } = this.#training;
    await checkpoint?.write(
      encodeTraining({ ...this.#now(), optimiser: this.#optimiser.state(), parameters: this.#parameters }, fingerprint),
    );
  }

  /** The state, after the best adapters are put in place. */
  finish(): TrainingState {
    const state = this.#now();
    for (const [index, values] of state.best.parameters.entries()) this.#parameters[index]?.set(values);
    return { ...state, optimiser: this.#optimiser.state(), parameters: this.#parameters };
  }

  #report(): void {
    const { steps, onProgress } = this.#training;
    const { tokens, seconds, heldOutBefore } = this.#now();
    const { step, loss, heldOutLoss, learningRate } = this.#last();
    const tokensPerSecond = seconds > 0 ? tokens / seconds : 0;
    const secondsLeft = step > 0 ? (seconds / step) * (steps - step) : undefined;
    onProgress?.({
      stage: 'recovery',
      completed: step,
      total: steps,
      unit: 'steps',
      step,
      steps,
      loss,
      heldOutLoss,
      heldOutBefore,
      learningRate,
      tokensPerSecond,
      secondsLeft,
    });
  }

  #last(): RecoveryRecord {
    return this.#now().history.at(-1) ?? { step: 0, loss: undefined, heldOutLoss: undefined, learningRate: 0 };
  }

  #copy(): Float32Array[] {
    return this.#parameters.map((values) => values.slice());
  }

  #now() {
    const state = this.#state;
    if (!state) throw new UsageError('The training has not started; call start first.');
    return state;
  }
}
