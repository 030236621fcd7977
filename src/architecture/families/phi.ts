import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import { type BlockTensors, biasOf, LLAMA_TENSORS } from '../block-weights.ts';
import { configFields, readCommonConfig } from '../config.ts';
import { decoder } from '../decoder.ts';
import { readUniformPositions } from '../sliding-windows.ts';

/** Of transformers' PhiConfig. */
const DEFAULTS = {
  hidden_act: 'gelu_new',
  max_position_embeddings: 2048,
  layer_norm_eps: 1e-5,
  tie_word_embeddings: false,
  partial_rotary_factor: 0.5,
};

const { 'mlp.gate': _, 'mlp.norm': __, ...ONE_NORM } = LLAMA_TENSORS;

const TENSORS: BlockTensors = {
  ...ONE_NORM,
  'attention.norm.bias': 'input_layernorm.bias',
  'attention.output': 'self_attn.dense.weight',
  'attention.output.bias': 'self_attn.dense.bias',
  'mlp.up': 'mlp.fc1.weight',
  'mlp.down': 'mlp.fc2.weight',
  'mlp.down.bias': 'mlp.fc2.bias',
};

const LINEAR = [
  'attention.query',
  'attention.key',
  'attention.value',
  'attention.output',
  'mlp.up',
  'mlp.down',
] as const;

/** Phi-1, 1.5 and 2 (arXiv 2306.11644): attention and MLP read one layer norm side by side, no gate, biases everywhere, of the output matrix too. */
export function phi(checkpoint: Checkpoint): Architecture {
  const fields = configFields(checkpoint, DEFAULTS, { rms_norm_eps: 'layer_norm_eps' });
  const { config, activation, positions } = readCommonConfig(checkpoint, fields, 'phi');
  const { tensors, required } = readBiases(checkpoint, fields, TENSORS, LINEAR.map(biasOf));
  return decoder({
    config,
    activation,
    norm: 'layer',
    parallel: true,
    finalNorm: 'model.final_layernorm.weight',
    headBias: true,
    tensors,
    required: [...required, 'attention.norm.bias'],
    positions: readUniformPositions(fields, config.layers, positions),
  });
}
