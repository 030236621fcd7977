import { disposeAll, embedBatches, isRemoved } from '../architecture/forward.ts';
import { MismatchError, throwIfCancelled } from '../errors.ts';
import { OwnedTensors } from '../importance/program/owned-tensors.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import { adapterInputs, stepInputs } from './adapted-block.ts';
import type { AdaptedModel, DropoutState, LayerAdapters } from './adapted-model.ts';
import { lossGradientOf, lossOf } from './head-loss.ts';
import type { TrainingBatch } from './training-windows.ts';

/** All trained values, in a fixed order: layer by layer, weight by weight, A before B, and steps where they are trained. The arrays are those of the adapters. */
export function adapterParameters(layers: readonly LayerAdapters[]): Float32Array[] {
  return layers.flatMap((adapters) =>
    [...adapters.values()].flatMap(({ down, up, steps }) => (steps ? [down, up, steps.change] : [down, up])),
  );
}

/** Zeros for the gradients of each layer's adapters, by program input, in the order of `adapterParameters`. */
function gradientSums(layers: readonly LayerAdapters[]): Map<string, Float32Array>[] {
  return layers.map((adapters) => {
    const sums = new Map<string, Float32Array>();
    for (const [weight, { down, up, steps }] of adapters) {
      const names = adapterInputs(weight);
      sums.set(names.down, new Float32Array(down.length));
      sums.set(names.up, new Float32Array(up.length));
      if (steps) sums.set(stepInputs(weight).change, new Float32Array(steps.change.length));
    }
    return sums;
  });
}

export interface StepOptions {
  /** Dropout of a run; absent: none. */
  readonly dropout?: ((run: number) => DropoutState | undefined) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Mean loss over all learnt predictions of some runs, in nats, and its gradients in the order of `adapterParameters`. Where the weights are resident each run
 * goes forward and back by itself; else all runs share one pass over the layers, so that each layer's weights are read twice a step and not twice a run.
 */
export async function stepGradients(
  model: AdaptedModel,
  batches: readonly TrainingBatch[],
  { dropout, signal }: StepOptions = {},
): Promise<{ readonly loss: number; readonly gradients: Float32Array[] }> {
  const learnt = batches.reduce((sum, { rows }) => sum + rows.length, 0);
  const sums = gradientSums(model.layers);
  let loss = 0;
  const passes = model.store.resident ? batches.map((_, run) => [run]) : [[...batches.keys()]];
  for (const runs of passes) {
    const chosen = runs.map((run) => batches[run] as TrainingBatch);
    const dropoutOf = dropout && ((index: number) => dropout(runs[index] ?? 0));
    loss += await backpropagate(model, chosen, 1 / learnt, sums, { dropout: dropoutOf, signal });
  }
  return { loss: loss / learnt, gradients: sums.flatMap((ofLayer) => [...ofLayer.values()]) };
}

/** Adds the gradients of `weight` times the summed loss to `sums`; returns that sum. */
async function backpropagate(
  model: AdaptedModel,
  batches: readonly TrainingBatch[],
  weight: number,
  sums: readonly Map<string, Float32Array>[],
  { dropout, signal }: StepOptions,
): Promise<number> {
  const { programs, store } = model;
  using trail = model.trail();
  using owned = new OwnedTensors();
  const own = (tensors: readonly DeviceTensor[]) => tensors.map((tensor) => owned.own(tensor));
  const last = own(await model.forward(await embed(model, batches), dropout, { signal, trail }));
  let loss = 0;
  let gradients: readonly DeviceTensor[] = [];
  {
    using head = await store.lease('head');
    const seeds: DeviceTensor[] = [];
    for (const [run, batch] of batches.entries()) {
      throwIfCancelled(signal);
      const part = await lossGradientOf(programs, head, tensorOf(last, run), batch, weight);
      loss += part.loss;
      seeds.push(owned.own(part.gradient));
    }
    gradients = seeds;
  }
  owned.free(last);
  for (let layer = model.layers.length - 1; layer >= 0; layer--) {
    if (isRemoved(store, layer)) continue;
    const entering = own(
      await model.backward(layer, trail.of(layer), gradients, dropout, sums[layer] ?? new Map(), signal),
    );
    owned.free(gradients);
    trail.free(layer);
    gradients = entering;
  }
  return loss;
}

/** Mean loss over the learnt predictions of some runs, in nats, without dropout. */
export async function meanLoss(
  model: AdaptedModel,
  batches: readonly TrainingBatch[],
  signal?: AbortSignal,
): Promise<number> {
  return meanLossBy(
    model,
    batches,
    async (pass) => model.forward(await embed(model, pass), undefined, { signal }),
    signal,
  );
}

/** The same through any way of running embedding and blocks. */
export async function meanLossBy(
  { programs, store }: Pick<AdaptedModel, 'programs' | 'store'>,
  batches: readonly TrainingBatch[],
  forward: (batches: readonly TrainingBatch[]) => Promise<DeviceTensor[]>,
  signal?: AbortSignal,
): Promise<number> {
  let [sum, learnt] = [0, 0];
  const passes = store.resident ? batches.map((batch) => [batch]) : [batches];
  for (const pass of passes) {
    throwIfCancelled(signal);
    const last = await forward(pass);
    try {
      using head = await store.lease('head');
      for (const [run, batch] of pass.entries()) {
        sum += await lossOf(programs, head, tensorOf(last, run), batch);
        learnt += batch.rows.length;
      }
    } finally {
      disposeAll(last);
    }
  }
  return sum / learnt;
}

async function embed({ programs, store }: AdaptedModel, batches: readonly TrainingBatch[]): Promise<DeviceTensor[]> {
  return await embedBatches(
    programs,
    store,
    batches.map(({ ids }) => ids),
  );
}

function tensorOf(tensors: readonly DeviceTensor[], run: number): DeviceTensor {
  const tensor = tensors[run];
  if (!tensor) throw new MismatchError(`The forward pass returned ${tensors.length} runs; run ${run} is missing.`);
  return tensor;
}
