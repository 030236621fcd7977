import { type BlockTensors, biasOf, LLAMA_TENSORS } from '../block-weights.ts';

const { 'mlp.gate': _, ...UNGATED } = LLAMA_TENSORS;

/** A block of the classics under LLaMA's names: layer norms, an MLP without a gate. */
export const CLASSIC_TENSORS: BlockTensors = {
  ...UNGATED,
  'attention.norm.bias': 'input_layernorm.bias',
  'mlp.norm.bias': 'post_attention_layernorm.bias',
};

/** Biases that the classics have by themselves. */
export const CLASSIC_BIASES = (
  ['attention.query', 'attention.key', 'attention.value', 'attention.output', 'mlp.up', 'mlp.down'] as const
).map(biasOf);

/** Biases of the two norms of a block. */
export const NORM_BIASES = ['attention.norm.bias', 'mlp.norm.bias'] as const;
