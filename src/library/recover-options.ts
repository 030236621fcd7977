import type { Model } from '../architecture/model.ts';
import { sha256OfBytes, sha256OfText } from '../checkpoint/files/sha256.ts';
import { MismatchError, UsageError } from '../errors.ts';
import type { Progress } from '../progress.ts';
import type { RecoveryLoss } from '../recovery/distillation.ts';
import type { RecoveryCheckpoint, RecoveryProgress } from '../recovery/train.ts';
import { checkTrainingWindows, holdOut, type TrainingWindow } from '../recovery/training-windows.ts';
import type { OpenModel } from './open-model.ts';

/** What a recovery trains, on what, and when it stops (docs/method.md section 7). */
export interface RecoverOptions {
  /**
   * 'group-wise': weights are quantised to `bits` in groups of inputs, adapters act on pooled groups and merge exactly into the groups' minima (QA-LoRA).
   * 'lora': plain low-rank adapters on the weights as they are, merged into float32 weights.
   */
  readonly method: 'group-wise' | 'lora';
  /** What the training makes small: KL from the teacher, cross-entropy with the text, or the mean of both. Held-out windows are always measured by cross-entropy. Default 'kl' where there is a teacher, else 'text'. */
  readonly loss?: RecoveryLoss;
  /** The dense model, of the same vocabulary: what it says on the training windows is kept, its most probable tokens at each position. */
  readonly teacher?: OpenModel | undefined;
  /** Of 'group-wise'. Default 4. */
  readonly bits?: 4 | 8;
  /** Inputs that share a minimum and a step. Default 32, which is what exports have. */
  readonly groupSize?: number;
  /** Of 'group-wise': trains the step of each group, too. Default false. */
  readonly groupSteps?: boolean;
  /** Default 8. */
  readonly rank?: number;
  /** Numerator of the adapters' strength, scale / rank. Default 16. */
  readonly scale?: number;
  /** Share of the adapters' (pooled) inputs that is left out, drawn anew each step. Default 0.05. */
  readonly dropout?: number;
  /** Peak, after warm-up; then half a cosine to 0. Default: `LEARNING_RATES`. */
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
  /** What is learnt. */
  readonly examples: readonly TrainingWindow[];
  /** Windows that are measured and not trained on. Default: `heldOutShare` of the examples. */
  readonly heldOut?: readonly TrainingWindow[];
  /** Share of `examples` that is held out. Default 0.05, at least 1 window, at most 64. */
  readonly heldOutShare?: number;
  /** Steps between measurements of the held-out windows. Default: a tenth of the steps. */
  readonly evaluateEvery?: number;
  /** Measurements without a better one after which the training stops. Default: it never stops early. */
  readonly patience?: number;
  /** Where the training is kept as it goes, and goes on from. */
  readonly checkpoint?: RecoveryCheckpoint;
  /** Once the first measurement is there, cancelling ends the training and keeps the best so far; before, it throws CancelledError. */
  readonly signal?: AbortSignal | undefined;
  /** Told of every step. */
  readonly onProgress?: ((progress: RecoveryProgress) => void) | undefined;
  /** Told while the teacher reads the windows, before the first step. */
  readonly onTeacher?: ((progress: Progress) => void) | undefined;
}

/** Peak learning rates: a mean over pooled inputs makes gradients smaller, so that group-wise training wants some ten times the rate of plain LoRA. */
export const LEARNING_RATES = { 'group-wise': 0.03, lora: 0.003 } as const;

/** Tokens of one run: enough for matrix products to be fast, few enough for the logits and activations of one run to be small. */
const RUN_TOKENS = 1024;

const HELD_OUT_AT_MOST = 64;

/** The options with their defaults, checked. */
export type RecoverSettings = ReturnType<typeof readSettings>;

/** Fills in defaults. Throws UsageError for options outside their domain and MismatchError for windows of another vocabulary. */
export function readSettings(options: RecoverOptions, vocabulary: number, maximumPositions: number) {
  const {
    method,
    bits = 4,
    groupSize = 32,
    groupSteps = false,
    rank = 8,
    scale = 16,
    dropout = 0.05,
    weightDecay = 0,
    seed = 0,
    epochs = 2,
  } = options;
  const { learningRate = LEARNING_RATES[method] } = options;
  const { maxGradientNorm = 1, heldOutShare = 0.05, patience = Number.POSITIVE_INFINITY } = options;
  const { teacher, loss = teacher ? 'kl' : 'text' } = options;
  if (loss !== 'text' && !teacher)
    throw new UsageError(`loss is "${loss}"; give the dense model as the teacher, or choose "text".`);
  if (loss !== 'text' && teacher && teacher.config.vocabulary !== vocabulary)
    throw new MismatchError(
      `The teacher has ${teacher.config.vocabulary} tokens and the model ${vocabulary}; give the model that it was pruned from.`,
    );
  whole('groupSize', groupSize, 1);
  if (groupSteps && (method !== 'group-wise' || groupSize === 1))
    throw new UsageError(
      `groupSteps trains the steps of groups of weights; the method is "${method}"${groupSize === 1 ? ' with groups of 1' : ''}. Leave it out, or train group-wise.`,
    );
  whole('rank', rank, 1);
  whole('seed', seed, 0);
  within('scale', scale, (value) => value > 0, 'above 0');
  within('dropout', dropout, (value) => value >= 0 && value < 1, '0 or more and below 1');
  within('learningRate', learningRate, (value) => value > 0, 'above 0');
  within('weightDecay', weightDecay, (value) => value >= 0, '0 or more');
  within('maxGradientNorm', maxGradientNorm, (value) => value > 0, 'above 0');
  within('heldOutShare', heldOutShare, (value) => value > 0 && value < 1, 'above 0 and below 1');
  within('epochs', epochs, (value) => value > 0, 'above 0');
  if (!(patience >= 1)) throw new UsageError(`patience is ${patience}; it must be 1 or more measurements.`);

  checkTrainingWindows(options.examples, vocabulary, 'Training window');
  checkTrainingWindows(options.heldOut ?? [], vocabulary, 'Held-out window');
  const { trained: windows, heldOut } = options.heldOut?.length
    ? { trained: [...options.examples], heldOut: [...options.heldOut] }
    : holdOut(options.examples, heldOutShare, HELD_OUT_AT_MOST, seed);
  if (windows.length === 0) throw new UsageError('There are no training windows. Give text to train on.');
  const longest = [...windows, ...heldOut].reduce((most, { tokens }) => Math.max(most, tokens.length), 0);
  if (longest > maximumPositions)
    throw new UsageError(
      `A training window has ${longest} tokens; the model holds ${maximumPositions}. Cut it to at most ${maximumPositions}.`,
    );

  const batchWindows = options.batchWindows ?? Math.min(16, windows.length);
  whole('batchWindows', batchWindows, 1);
  const runs = options.accumulation ?? Math.ceil(batchWindows / Math.max(1, Math.floor(RUN_TOKENS / longest)));
  whole('accumulation', runs, 1);
  const steps = options.steps ?? Math.max(1, Math.ceil((epochs * windows.length) / batchWindows));
  whole('steps', steps, 1);
  const warmupSteps = options.warmupSteps ?? Math.min(100, Math.floor(steps / 10));
  whole('warmupSteps', warmupSteps, 0);
  if (warmupSteps > steps)
    throw new UsageError(
      `warmupSteps is ${warmupSteps}, more than the ${steps} steps of the whole training. Warm up for fewer.`,
    );
  const evaluateEvery = options.evaluateEvery ?? Math.max(1, Math.ceil(steps / 10));
  whole('evaluateEvery', evaluateEvery, 1);
  const training = {
    steps,
    warmupSteps,
    batchWindows,
    windowsPerRun: Math.ceil(batchWindows / runs),
    learningRate,
    weightDecay,
    dropout,
    maxGradientNorm,
  };
  // Without it where it is the text, and without steps where they stay, so that trainings of earlier versions go on.
  const distilled = loss === 'text' ? {} : { loss };
  return {
    ...{ method, bits, groupSize, rank, scale, ...training, ...distilled },
    ...(groupSteps && { groupSteps }),
    ...{ seed, evaluateEvery, patience, windows, heldOut },
  };
}

/** Tells trainings apart: what the losses depend on, and the model they are of. */
export async function fingerprintOf(
  { checkpoint, architecture }: Model,
  { windows, heldOut, patience, ...settings }: RecoverSettings,
): Promise<string> {
  const ids = [windows, heldOut].map((list) =>
    list.map(({ tokens, learn }) => [Array.from(tokens), learn ? Array.from(learn) : 0]),
  );
  // A compensated model has the hash of its base and other output projections.
  const down = [...checkpoint.tensors.keys()].find((name) => name.endsWith('mlp.down_proj.weight'));
  const weights = down === undefined ? '' : await sha256OfBytes(new Uint8Array((await checkpoint.read(down)).buffer));
  return sha256OfText(
    JSON.stringify([await checkpoint.sha256(), weights, architecture.config.layerWidths, settings, ids]),
  );
}

function whole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new UsageError(`${name} is ${value}; it must be a whole number, ${least} or more.`);
}

function within(name: string, value: number, test: (value: number) => boolean, domain: string): void {
  if (Number.isFinite(value) && test(value)) return;
  throw new UsageError(`${name} is ${value}; it must be a number ${domain}.`);
}
