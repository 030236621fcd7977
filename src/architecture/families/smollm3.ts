import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture, LayerPositions } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { withoutRotation } from '../rope.ts';
import { readMixedPositions, readWindow } from '../sliding-windows.ts';

/** Of transformers' SmolLM3Config. */
const DEFAULTS = {
  num_key_value_heads: 4,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  tie_word_embeddings: true,
  rope_theta: 2_000_000,
  use_sliding_window: false,
  no_rope_layer_interval: 4,
};

/** SmolLM3: LLaMA in which every fourth layer does not turn its queries and keys (Yang et al., arXiv 2501.18795); those layers may have a window. */
export function smollm3(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'smollm3');
  const interval = fields.integer('no_rope_layer_interval', 1024);
  const turning =
    fields.flags('no_rope_layers', config.layers) ??
    Array.from({ length: config.layers }, (_, layer) => (layer + 1) % interval !== 0);
  const window = fields.boolean('use_sliding_window', false) ? readWindow(fields) : undefined;
  const kinds = (full: LayerPositions) =>
    readMixedPositions(
      fields,
      config.layers,
      full,
      window === undefined ? undefined : { ...full, window },
      (layer) => window !== undefined && !turning[layer],
    );
  const [turned, unturned] = [kinds(positions), kinds(withoutRotation(positions))];
  return decoder({
    config,
    activation,
    ...readBiases(checkpoint, fields, LLAMA_TENSORS),
    positions: (layer) => (turning[layer] ? turned : unturned)(layer),
  });
}
