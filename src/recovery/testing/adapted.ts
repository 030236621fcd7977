import { modelOf } from '../../architecture/model.ts';
import { Programs } from '../../architecture/programs.ts';
import { WeightStore } from '../../architecture/weight-store.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { createRandom } from '../../random.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { AdaptedModel, type LayerAdapters } from '../adapted-model.ts';
import { createAdapters, quantisedCheckpoint, quantiseModel } from '../recovered-checkpoint.ts';
import { adapterParameters } from '../training-step.ts';
import type { TrainingWindow } from '../training-windows.ts';

export interface AdaptedTestOptions {
  readonly method: 'group-wise' | 'lora';
  readonly bits?: number;
  readonly groupSize?: number;
  /** Trains steps, too. */
  readonly groupSteps?: boolean;
  readonly rank?: number;
  readonly scale?: number;
  /** Random values in B too, so that every gradient is there. */
  readonly trained?: boolean;
  /** False streams the weights. */
  readonly resident?: boolean;
  /** Default: that of the runtime's backend. */
  readonly activationBytes?: number;
}

/** An adapted model on a checkpoint, with everything that it is made of. */
export async function adaptedModel(runtime: Runtime, checkpoint: Checkpoint, options: AdaptedTestOptions) {
  const {
    method,
    bits = 4,
    groupSize = 16,
    groupSteps = false,
    rank = 4,
    scale = 16,
    trained = false,
    resident = true,
    activationBytes,
  } = options;
  const dense = modelOf(checkpoint);
  const quantised = method === 'group-wise' ? await quantiseModel(dense, { bits, groupSize }) : undefined;
  const base = quantised ? modelOf(quantisedCheckpoint(checkpoint, quantised)) : dense;
  const adapters: readonly LayerAdapters[] = createAdapters(
    base,
    { rank, scale, groupSize: quantised ? groupSize : 1, seed: 3 },
    groupSteps ? quantised : undefined,
  );
  if (trained) {
    const random = createRandom(5);
    // Small where nothing is averaged, so that the loss stays smooth enough for finite differences.
    const spread = quantised ? 0.3 : 0.05;
    for (const values of adapterParameters(adapters))
      for (const index of values.keys()) values[index] = spread * random.normal();
  }
  const programs = new Programs(runtime, base.architecture);
  const store = new WeightStore(runtime, base, resident ? Number.POSITIVE_INFINITY : 0);
  const model = new AdaptedModel(programs, store, adapters, { activationBytes });
  return {
    base,
    quantised,
    adapters,
    programs,
    store,
    model,
    [Symbol.dispose]: () => {
      model.dispose();
      store.dispose();
      programs.dispose();
    },
  };
}

/** Windows of random tokens and unequal lengths; every third one has a prompt that is not learnt. */
export function randomWindows(count: number, vocabulary: number, seed = 1): TrainingWindow[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, index) => {
    const length = 8 + random.integer(5);
    const tokens = Int32Array.from({ length }, () => random.integer(vocabulary));
    return index % 3 === 2
      ? { tokens, learn: Uint8Array.from({ length }, (_, token) => (token < 4 ? 0 : 1)) }
      : { tokens };
  });
}
