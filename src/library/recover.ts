import { forwardBlocks } from '../architecture/forward.ts';
import { type Model, modelOf } from '../architecture/model.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { QUANTISATION_BLOCK } from '../decoder/dtypes.ts';
import { AdaptedModel, type LayerAdapters } from '../recovery/adapted-model.ts';
import { Distillation, type RecoveryLoss } from '../recovery/distillation.ts';
import {
  createAdapters,
  mergedCheckpoint,
  mergeQuantised,
  quantisedCheckpoint,
  quantiseModel,
} from '../recovery/recovered-checkpoint.ts';
import { type StopReason, type TrainingResult, train } from '../recovery/train.ts';
import type { RecoveryRecord } from '../recovery/training-state.ts';
import { meanLossBy } from '../recovery/training-step.ts';
import { partsOf, type TrainingWindow, trainingBatch, windowsOfTraining } from '../recovery/training-windows.ts';
import type { OpenModel } from './open-model.ts';
import { fingerprintOf, type RecoverOptions, type RecoverSettings, readSettings } from './recover-options.ts';

export type { RecoveryCheckpoint, RecoveryProgress } from '../recovery/train.ts';
export type { RecoveryRecord } from '../recovery/training-state.ts';
export type { TrainingWindow } from '../recovery/training-windows.ts';
export type { RecoverOptions } from './recover-options.ts';

/** A recovered model and how the training went. */
export interface Recovered {
  /** The model with merged adapters, on the same programs as the one that was given: to be evaluated or exported, and disposed by the caller. */
  readonly model: OpenModel;
  /** One record for each measurement. */
  readonly history: readonly RecoveryRecord[];
  /** Mean loss over the held-out windows, in nats, of the model that was given and of the recovered one. */
  readonly heldOutBefore: number;
  /** Mean loss on held-out text after training, in nats. */
  readonly heldOutAfter: number;
  /** The step whose adapters were kept: the one with the lowest held-out loss. */
  readonly bestStep: number;
  /** Steps that were made. */
  readonly steps: number;
  /** Why it ended. */
  readonly stoppedBecause: StopReason;
  /** What the training made small. */
  readonly loss: RecoveryLoss;
  /** Trained parameters. */
  readonly adapterParameters: number;
  /** Tokens that the steps went over, context included. */
  readonly trainedTokens: number;
  /** Of training. */
  readonly tokensPerSecond: number;
  /** Of training. */
  readonly seconds: number;
  /** Sentences for people, such as which layers have a last group of fewer inputs. */
  readonly notes: readonly string[];
}

/** Weights up to this size stay on the device while a model is trained; larger ones are read twice a step. In a browser all memory of WebAssembly is 4 GiB. */
const RESIDENT_BYTES = { cpu: 4 * 2 ** 30, wasm: 2 ** 30, webgpu: 2 * 2 ** 30 } as const;

/**
 * Trains adapters on a (pruned) model and merges them: the third stage of the method (docs/method.md section 7). The given model stays as it is, and
 * must outlive the recovered one, whose programs are its own.
 * Throws UsageError for options outside their domain, naming option, value and domain; MismatchError for windows of another vocabulary and for
 * a checkpoint of another training; CancelledError when cancelled before the first measurement.
 */
export async function recover(model: OpenModel, options: RecoverOptions): Promise<Recovered> {
  const settings = readSettings(options, model.config.vocabulary, model.config.maximumPositions);
  const { signal } = options;
  const started = performance.now();
  const quantisation = { bits: settings.bits, groupSize: settings.groupSize };
  const quantised =
    options.method === 'group-wise' ? await quantiseModel(model.model, quantisation, { signal }) : undefined;
  const base = quantised ? modelOf(quantisedCheckpoint(model.model.checkpoint, quantised)) : model.model;
  const { rank, scale, seed, heldOut, windowsPerRun, groupSteps } = settings;
  const adapters = createAdapters(
    base,
    { rank, scale, seed, groupSize: quantised ? settings.groupSize : 1 },
    groupSteps ? quantised : undefined,
  );
  const batches = partsOf(heldOut, windowsPerRun).map(trainingBatch);
  const heldOutLoss = ({ programs, store }: OpenModel) =>
    meanLossBy(
      { programs, store },
      batches,
      (pass) =>
        forwardBlocks(
          programs,
          store,
          pass.map(({ ids }) => ids),
          { signal },
        ),
      signal,
    );

  const result = await trainOn(model, base, adapters, settings, options, () => heldOutLoss(model));

  const checkpoint: Checkpoint = quantised
    ? quantisedCheckpoint(model.model.checkpoint, mergeQuantised(base, quantised, adapters))
    : mergedCheckpoint(base, adapters);
  const recovered = model.withCheckpoint(checkpoint);
  return {
    model: recovered,
    history: result.history,
    heldOutBefore: result.heldOutBefore,
    heldOutAfter: result.best.loss,
    bestStep: result.best.step,
    steps: result.history.at(-1)?.step ?? 0,
    stoppedBecause: result.stoppedBecause,
    loss: settings.loss ?? 'text',
    adapterParameters: result.parameters.reduce((sum, { length }) => sum + length, 0),
    trainedTokens: result.tokens,
    tokensPerSecond: result.seconds > 0 ? result.tokens / result.seconds : 0,
    seconds: (performance.now() - started) / 1000,
    notes: quantised ? [...partialGroups(base, settings.groupSize), ...otherGroups(settings.groupSize)] : [],
  };
}

/** Trains the adapters of a model whose weights are kept on the device where they fit, and frees everything but the adapters. */
async function trainOn(
  { programs, runtime, model }: OpenModel,
  base: Model,
  adapters: readonly LayerAdapters[],
  settings: RecoverSettings,
  { teacher, checkpoint, signal, onProgress, onTeacher }: RecoverOptions,
  heldOutBefore: () => Promise<number>,
): Promise<TrainingResult> {
  using store = new WeightStore(runtime, base, RESIDENT_BYTES[runtime.backend]);
  using adapted = new AdaptedModel(programs, store, adapters);
  const { loss, windows, steps, batchWindows, seed } = settings;
  // The teacher reads what will be learnt, and no more of a long text.
  const learnt = windowsOfTraining(steps, batchWindows, windows.length, seed).map(
    (at) => windows[at] as TrainingWindow,
  );
  const distillation =
    loss &&
    teacher &&
    (await Distillation.prepare(teacher.programs, teacher.store, learnt, { loss, signal, onProgress: onTeacher }));
  const own = await fingerprintOf(model, settings);
  const fingerprint = distillation ? `${own} ${await teacher?.model.checkpoint.sha256()}` : own;
  return await train(adapted, {
    ...settings,
    distillation,
    heldOutBefore,
    fingerprint,
    checkpoint,
    signal,
    onProgress,
  });
}

/** Which layers have a last group of fewer inputs. */
function partialGroups({ architecture }: Model, groupSize: number): string[] {
  const { headDimension, queryHeads, keyValueHeads, layerWidths, hiddenSize } = architecture.config;
  const channels = (heads: number) => heads * (queryHeads / keyValueHeads) * headDimension;
  const uneven = layerWidths.flatMap(({ keyValueHeads: heads, neurons }, layer) =>
    neurons % groupSize || channels(heads) % groupSize ? [layer] : [],
  );
  const notes =
    hiddenSize % groupSize
      ? [`The hidden size ${hiddenSize} is no multiple of ${groupSize}: the last group of every row has fewer inputs.`]
      : [];
  if (uneven.length === 0) return notes;
  return [
    ...notes,
    `The widths of layer${uneven.length === 1 ? '' : 's'} ${uneven.join(', ')} are no multiples of ${groupSize}: the last group of a row has fewer inputs there, and an export pads it. ` +
      `Plan with widths rounded to ${groupSize} to avoid that.`,
  ];
}

/** Exports hold groups of one size only. */
function otherGroups(groupSize: number): string[] {
  if (groupSize === QUANTISATION_BLOCK) return [];
  return [
    `Groups of ${groupSize} inputs are rounded again by exports to q4 and q8, which have groups of ${QUANTISATION_BLOCK}; export in f32 or f16, or train in groups of ${QUANTISATION_BLOCK}.`,
  ];
}
