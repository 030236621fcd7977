import { batchesOf } from '../architecture/batches.ts';
import { disposeAll, forwardBlocks } from '../architecture/forward.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { type HostWeights, uploadWeights } from '../architecture/weights.ts';
import type { LongRunning } from '../progress.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';

export interface LayerByLayerOptions extends LongRunning {
  /** What progress is called. Default: none is told. */
  readonly stage?: string;
  /** Windows per run. Default: about 1,024 tokens. */
  readonly perBatch?: number;
}

/**
 * Changes a model layer by layer: `change` gives the weights that a layer runs on from the states that the layers before it give once they are changed, [windows, tokens, hiddenSize] a batch; none
 * where the layer goes. Throws CancelledError, and what `change` throws.
 */
export async function layerByLayer(
  programs: Programs,
  store: WeightStore,
  windows: readonly ArrayLike<number>[],
  change: (layer: number, states: readonly DeviceTensor[]) => Promise<HostWeights | undefined>,
  { stage, perBatch, signal, onProgress }: LayerByLayerOptions,
): Promise<void> {
  const { layers } = store.model.architecture.config;
  const report = (completed: number) => stage && onProgress?.({ stage, completed, total: layers, unit: 'layers' });
  const last = await forwardBlocks(programs, store, batchesOf(windows, perBatch), {
    signal,
    weights: async (layer, states) => {
      report(layer);
      const weights = await change(layer, states);
      return weights && uploadWeights(programs.runtime, weights);
    },
  });
  disposeAll(last);
  report(layers);
}
