import { UnsupportedError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { OpenModel } from './open-model.ts';

/** One window of training text. */
export interface TrainingWindow {
  /** Token ids, at least 2; windows may differ in length. */
  readonly tokens: ArrayLike<number>;
  /** Per token 1 where it is to be learnt, 0 where it is only context (a prompt). Absent: all are learnt. The first token is never predicted. */
  readonly learn?: ArrayLike<number>;
}

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
  readonly step: number;
  readonly steps: number;
  /** Mean loss over the learnt tokens of the last step, in nats; undefined before the first step. */
  readonly loss: number | undefined;
  /** Where the held-out text was measured at this step. */
  readonly heldOutLoss: number | undefined;
  readonly learningRate: number;
  /** Trained tokens, context included, per second so far; 0 before the first step. */
  readonly tokensPerSecond: number;
  /** By the speed so far; undefined before the first step. */
  readonly secondsLeft: number | undefined;
}

/** What a recovery trains, on what, and when it stops (docs/method.md section 7). */
export interface RecoverOptions {
  /**
   * 'group-wise': weights are quantised to `bits` in groups of inputs, adapters act on pooled groups and merge exactly into the groups' minima (QA-LoRA).
   * 'lora': plain low-rank adapters on the weights as they are, merged into float32 weights.
   */
  readonly method: 'group-wise' | 'lora';
  /** Of 'group-wise'. Default 4. */
  readonly bits?: 4 | 8;
  /** Inputs that share a minimum and a step. Default 32, which is what exports have. */
  readonly groupSize?: number;
  /** Default 8. */
  readonly rank?: number;
  /** Numerator of the adapters' strength, scale / rank. Default 16. */
  readonly scale?: number;
  /** Share of the adapters' (pooled) inputs that is left out, drawn anew each step. Default 0.05. */
  readonly dropout?: number;
  /** Peak, after warm-up; then half a cosine to 0. Default 1e-4. */
  readonly learningRate?: number;
  /** Default: a tenth of the steps, at most 100. */
  readonly warmupSteps?: number;
  /** Decoupled. Default 0. */
  readonly weightDecay?: number;
  /** Optimiser steps. Default: as many as `epochs` need. */
  readonly steps?: number;
  /** Passes over the training windows where `steps` is absent. Default 2. */
  readonly epochs?: number;
  /** Windows of one optimiser step. Default 16, or as many as there are. */
  readonly batchWindows?: number;
  /** Runs that the windows of a step are spread over, their gradients summed. Default: so many that a run has about 1,024 tokens. */
  readonly accumulation?: number;
  /** Longest norm of all gradients of a step together. Default 1. */
  readonly maxGradientNorm?: number;
  /** Of initial adapters, order of windows, dropout and the choice of held-out windows. Default 0. */
  readonly seed?: number;
  readonly examples: readonly TrainingWindow[];
  /** Windows that are measured and not trained on. Default: `heldOutShare` of the examples. */
  readonly heldOut?: readonly TrainingWindow[];
  /** Share of `examples` that is held out. Default 0.05, at least 1 window, at most 64. */
  readonly heldOutShare?: number;
  /** Steps between measurements of the held-out windows. Default: a tenth of the steps. */
  readonly evaluateEvery?: number;
  /** Measurements without a better one after which the training stops. Default: it never stops early. */
  readonly patience?: number;
  readonly checkpoint?: RecoveryCheckpoint;
  /** Once the first measurement is there, cancelling ends the training and keeps the best so far; before, it throws CancelledError. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RecoveryProgress) => void) | undefined;
}

/** One optimiser step, or with `step` 0 the measurement before the first. */
export interface RecoveryRecord {
  readonly step: number;
  /** Mean loss of the step in nats, undefined for step 0. */
  readonly loss: number | undefined;
  readonly heldOutLoss: number | undefined;
  readonly learningRate: number;
}

/** A recovered model and how the training went. */
export interface Recovered {
  /** The model with merged adapters, on the same programs as the one that was given: to be evaluated or exported, and disposed by the caller. */
  readonly model: OpenModel;
  readonly history: readonly RecoveryRecord[];
  /** Mean loss over the held-out windows, in nats, of the model that was given and of the recovered one. */
  readonly heldOutBefore: number;
  readonly heldOutAfter: number;
  /** The step whose adapters were kept: the one with the lowest held-out loss. */
  readonly bestStep: number;
  /** Steps that were made. */
  readonly steps: number;
  readonly stoppedBecause: 'finished' | 'no longer better' | 'cancelled';
  /** Trained parameters. */
  readonly adapterParameters: number;
  readonly tokensPerSecond: number;
  readonly seconds: number;
  /** Sentences for people, such as which layers have a last group of fewer inputs. */
  readonly notes: readonly string[];
}

/** Trains adapters on a (pruned) model and merges them: the third stage of the method (docs/method.md section 7). */
export async function recover(model: OpenModel, _options: RecoverOptions): Promise<Recovered> {
  throw new UnsupportedError(`${model.model.checkpoint.provenance.name} cannot be recovered yet: the training loop is being built.`);
}
