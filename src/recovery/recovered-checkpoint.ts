import type { WeightBinding } from '../architecture/architecture.ts';
import { isRemovedLayer } from '../architecture/block-weights.ts';
import type { Model } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { dequantiseGroups, type GroupQuantised } from '../checkpoint/group-quantised.ts';
import { throwIfCancelled } from '../errors.ts';
import type { LongRunning } from '../progress.ts';
import { ADAPTED_WEIGHTS } from './adapted-block.ts';
import type { LayerAdapters } from './adapted-model.ts';
import {
  type Adapter,
  type AdapterOptions,
  createAdapter,
  createSteps,
  mergeIntoGroups,
  mergeIntoWeight,
} from './adapter.ts';
import { type GroupQuantisation, quantiseGroups } from './quantise-groups.ts';
import { mixSeeds } from './seeds.ts';

/** Bindings of the adapted weights of each layer; none for a layer that was removed. */
function adaptedBindings({ architecture }: Model): WeightBinding[][] {
  return architecture.config.layerWidths.map((widths, layer) =>
    isRemovedLayer(widths)
      ? []
      : architecture.blockWeights(layer).filter(({ input }) => (ADAPTED_WEIGHTS as readonly string[]).includes(input)),
  );
}

/** Adapters that change nothing yet, for every adapted weight; of those in `stepsOf`, by tensor, the steps are trained, too. */
export function createAdapters(
  model: Model,
  options: AdapterOptions,
  stepsOf: ReadonlyMap<string, GroupQuantised> = new Map(),
): LayerAdapters[] {
  return adaptedBindings(model).map(
    (bindings, layer) =>
      new Map(
        bindings.map(({ input, tensor, rows, shape: [outputs = 0, inputs = 0] }): [string, Adapter] => {
          const seed = mixSeeds(options.seed, 'adapter', layer, input);
          const adapter = createAdapter(outputs, inputs, { ...options, seed });
          const weight = stepsOf.get(tensor);
          return [input, weight ? { ...adapter, steps: createSteps(weight, rows) } : adapter];
        }),
      ),
  );
}

/** Quantises every adapted weight of a model in groups. Returns the weights by tensor; a fused one is quantised whole, row by row as any. */
export async function quantiseModel(
  model: Model,
  quantisation: GroupQuantisation,
  { signal, onProgress }: LongRunning = {},
): Promise<Map<string, GroupQuantised>> {
  const { checkpoint } = model;
  const quantised = new Map<string, GroupQuantised>();
  const layers = adaptedBindings(model);
  for (const [layer, bindings] of layers.entries()) {
    for (const tensor of new Set(bindings.map((binding) => binding.tensor))) {
      throwIfCancelled(signal);
      quantised.set(
        tensor,
        quantiseGroups(
          await checkpoint.read(tensor),
          bindings.find((binding) => binding.tensor === tensor)?.shape[1] ?? 1,
          quantisation,
        ),
      );
    }
    onProgress?.({ stage: 'quantising', completed: layer + 1, total: layers.length, unit: 'layers' });
  }
  return quantised;
}

/** A view of a checkpoint in which some weights are what their codes stand for; an export takes the codes as they are. */
export function quantisedCheckpoint(base: Checkpoint, weights: ReadonlyMap<string, GroupQuantised>): Checkpoint {
  return {
    ...view(base),
    groupQuantised: (name) => weights.get(name),
    async read(name, rows) {
      const weight = weights.get(name);
      return weight ? dequantiseGroups(weight, rows) : base.read(name, rows);
    },
  };
}

/** The quantised weights of a model with its adapters merged into their minima. */
export function mergeQuantised(
  model: Model,
  weights: ReadonlyMap<string, GroupQuantised>,
  adapters: readonly LayerAdapters[],
): Map<string, GroupQuantised> {
  const merged = new Map(weights);
  for (const [layer, bindings] of adaptedBindings(model).entries()) {
    for (const { tensor, rows, input } of bindings) {
      const [weight, adapter] = [merged.get(tensor), adapters[layer]?.get(input)];
      if (weight && adapter) merged.set(tensor, mergeIntoGroups(weight, adapter, rows));
    }
  }
  return merged;
}

/** A view of a model's checkpoint with adapters merged into its weights in float32, as they are read. */
export function mergedCheckpoint(model: Model, adapters: readonly LayerAdapters[]): Checkpoint {
  const { checkpoint } = model;
  const parts = new Map<string, { readonly adapter: Adapter; readonly start: number }[]>();
  for (const [layer, bindings] of adaptedBindings(model).entries()) {
    for (const { tensor, rows, input } of bindings) {
      const adapter = adapters[layer]?.get(input);
      if (adapter) parts.set(tensor, [...(parts.get(tensor) ?? []), { adapter, start: rows?.start ?? 0 }]);
    }
  }
  return {
    ...view(checkpoint),
    async read(name, rows) {
      const found = parts.get(name);
      if (!found) return checkpoint.read(name, rows);
      const data = await checkpoint.read(name);
      for (const { adapter, start } of found) {
        const [from, to] = [start * adapter.inputs, (start + adapter.outputs) * adapter.inputs];
        data.set(mergeIntoWeight(data.subarray(from, to), adapter), from);
      }
      const columns = found[0]?.adapter.inputs ?? 1;
      return rows ? data.slice(rows.start * columns, rows.end * columns) : data;
    },
  };
}

/** What a view shares with its base; without codes, which the view's weights may no longer have. */
function view({ groupQuantised: _, ...base }: Checkpoint): Checkpoint {
  return base;
}
