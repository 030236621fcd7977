import { forwardBlocks, isRemoved } from '../../architecture/forward.ts';
import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { OwnedTensors } from './owned-tensors.ts';
import type { ScorePrograms } from './score-programs.ts';

/** What a layer's backward pass starts from, batch by batch. */
export interface LayerStates {
  /** States that enter the layer, [windows, tokens, hiddenSize]. */
  readonly hidden: readonly DeviceTensor[];
  /** Outputs of its linear layers by name, where they are kept. */
  readonly kept: readonly Readonly<Record<string, DeviceTensor>>[] | undefined;
}

export interface ScoreForwardOptions {
  readonly signal?: AbortSignal | undefined;
  /** Layers to run. */
  readonly layers: number;
  /** Layers from this one on keep the outputs of their linear layers. */
  readonly keepFrom: number;
  readonly onWindows: (windows: number) => void;
}

/**
 * The forward pass of scoring, layer by layer: what each layer's backward pass starts from (undefined for a block that was removed), and the states after the last of them.
 * All tensors are `owned`.
 */
export async function scoreForward(
  programs: Programs,
  store: WeightStore,
  batches: readonly (readonly ArrayLike<number>[])[],
  owned: OwnedTensors,
  score: (layer: number) => ScorePrograms,
  options: ScoreForwardOptions,
): Promise<{ readonly layers: readonly (LayerStates | undefined)[]; readonly last: readonly DeviceTensor[] }> {
  const layers = Array.from({ length: options.layers }, (_, layer) => {
    if (isRemoved(store, layer)) return undefined;
    const hidden: DeviceTensor[] = [];
    const kept: Record<string, DeviceTensor>[] | undefined = layer >= options.keepFrom ? [] : undefined;
    return { hidden, kept };
  });
  const last = await forwardBlocks(programs, store, batches, {
    signal: options.signal,
    layers: options.layers,
    run: async (weights, hidden, layer) => {
      const states = layers[layer];
      let after: DeviceTensor;
      if (!states?.kept) after = await programs.block(weights, hidden, layer);
      else {
        const session = await score(layer).keepingBlock();
        const shared = programs.shared(hidden.shape[1] ?? 0, layer);
        const { output, ...values } = await session.run({ ...weights.tensors, hidden, ...shared });
        for (const value of Object.values(values)) owned.own(value);
        after = singleOutput({ ...(output && { output }) }, 'output');
        states.kept.push(values);
      }
      states?.hidden.push(owned.own(hidden));
      return after;
    },
    onPass: (_layer, batch) => options.onWindows(batches[batch]?.length ?? 0),
  });
  return { layers, last: last.map((state) => owned.own(state)) };
}
