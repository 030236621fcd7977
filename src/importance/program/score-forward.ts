import { isRemoved } from '../../architecture/forward.ts';
import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { throwIfCancelled } from '../../errors.ts';
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
  score: ScorePrograms,
  options: ScoreForwardOptions,
): Promise<{ readonly layers: readonly (LayerStates | undefined)[]; readonly last: readonly DeviceTensor[] }> {
  const layers: (LayerStates | undefined)[] = [];
  let hidden: DeviceTensor[] = [];
  {
    using weights = await store.lease('embed');
    for (const batch of batches) hidden.push(owned.own(await programs.embed(weights, batch)));
  }
  for (let layer = 0; layer < options.layers; layer++) {
    if (isRemoved(store, layer)) {
      layers.push(undefined);
      for (const batch of batches) options.onWindows(batch.length);
      continue;
    }
    const keeps = layer >= options.keepFrom;
    const kept: Record<string, DeviceTensor>[] = [];
    const next: DeviceTensor[] = [];
    using weights = await store.lease(layer);
    for (const [index, state] of hidden.entries()) {
      throwIfCancelled(options.signal);
      if (!keeps) next.push(owned.own(await programs.block(weights, state, layer)));
      else {
        const { cosine, sine, mask } = programs.positions(state.shape[1] ?? 0, layer);
        const { output, ...values } = await (await score.keepingBlock()).run({
          ...weights.tensors,
          hidden: state,
          cosine,
          sine,
          mask,
        });
        for (const value of Object.values(values)) owned.own(value);
        next.push(owned.own(singleOutput({ ...(output && { output }) }, 'output')));
        kept.push(values);
      }
      options.onWindows(batches[index]?.length ?? 0);
    }
    layers.push({ hidden, kept: keeps ? kept : undefined });
    hidden = next;
  }
  return { layers, last: hidden };
}
