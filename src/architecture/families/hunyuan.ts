import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { withStretchedBase } from '../rope-alpha.ts';
import { readUniformPositions } from '../sliding-windows.ts';

/** Of transformers' HunYuanDenseV1Config. */
const DEFAULTS = { max_position_embeddings: 2048, rms_norm_eps: 1e-5, tie_word_embeddings: false };

/** Hunyuan where it is dense: LLaMA with norms of queries and keys behind the rotation, whose base may be stretched once and for all by `alpha`. */
export function hunyuan(checkpoint: Checkpoint): Architecture {
  const stretched = withStretchedBase(checkpoint);
  const fields = configFields(stretched, DEFAULTS);
  const { config, activation, positions } = readCommonConfig(stretched, fields, 'hunyuan_v1_dense');
  return decoder({
    config,
    activation,
    normAfterRotation: true,
    ...readBiases(checkpoint, fields, {
      ...LLAMA_TENSORS,
      'attention.query.norm': 'self_attn.query_layernorm.weight',
      'attention.key.norm': 'self_attn.key_layernorm.weight',
    }),
    positions: readUniformPositions(fields, config.layers, positions),
  });
}
