import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import type { Architecture, ModelConfig, WeightBinding } from './architecture.ts';
import { readModelConfig } from './config.ts';
import { embedProgram, headProgram } from './ends.ts';
import { attention, linear, rmsNorm, silu } from './pieces.ts';

/** LLaMA 1, 2, 3, SmolLM and Mistral without sliding window: RMSNorm, rotary, grouped-query attention, SwiGLU, no biases of its own. */
export function llama(checkpoint: Checkpoint): Architecture {
  const config = readModelConfig(checkpoint.config, { architecture: 'llama' });
  return {
    config,
    embed: () => embedProgram(config),
    block: () => block(config),
    head: () => headProgram(config),
    embedWeights: () => [{ input: 'embedding', tensor: 'model.embed_tokens.weight', shape: [config.vocabulary, config.hiddenSize] }],
    blockWeights: (layer) => blockWeights(config, layer),
    headWeights: () => [
      { input: 'norm', tensor: 'model.norm.weight', shape: [config.hiddenSize] },
      { input: 'projection', tensor: config.tiedEmbedding ? 'model.embed_tokens.weight' : 'lm_head.weight', shape: [config.vocabulary, config.hiddenSize] },
    ],
  };
}

function block(config: ModelConfig): Graph {
  const builder = new GraphBuilder('block');
  const { hiddenSize, headDimension } = config;
  const hidden = builder.input('hidden', 'float32', ['batch', 'tokens', hiddenSize]);
  const cosine = builder.input('cosine', 'float32', ['tokens', headDimension / 2]);
  const sine = builder.input('sine', 'float32', ['tokens', headDimension / 2]);
  const mask = builder.input('mask', 'float32', ['tokens', 'tokens']);
  const weight = (name: string, ...shape: (number | string)[]) => builder.input(name, 'float32', shape);

  const leading = builder.add('Shape', [hidden], { start: 0, end: 2 });
  const residual = builder.add('Reshape', [hidden, builder.integers([-1, hiddenSize])]);
  const attentionInput = rmsNorm(builder, residual, weight('attention.norm', hiddenSize), config.normEpsilon);
  const context = attention(builder, config, {
    query: linear(builder, attentionInput, weight('attention.query', 'queryChannels', hiddenSize)),
    key: linear(builder, attentionInput, weight('attention.key', 'keyChannels', hiddenSize)),
    value: linear(builder, attentionInput, weight('attention.value', 'keyChannels', hiddenSize)),
    leading,
    cosine,
    sine,
    mask,
  });
  const attentionOutput = linear(builder, context, weight('attention.output', hiddenSize, 'queryChannels'), weight('attention.output.bias', hiddenSize));
  const middle = builder.add('Add', [residual, attentionOutput]);
  const mlpInput = rmsNorm(builder, middle, weight('mlp.norm', hiddenSize), config.normEpsilon);
  const gate = silu(builder, linear(builder, mlpInput, weight('mlp.gate', 'neurons', hiddenSize)));
  const activation = builder.add('Mul', [gate, linear(builder, mlpInput, weight('mlp.up', 'neurons', hiddenSize))]);
  const mlpOutput = linear(builder, activation, weight('mlp.down', hiddenSize, 'neurons'), weight('mlp.down.bias', hiddenSize));
  const output = builder.add('Reshape', [builder.add('Add', [middle, mlpOutput]), builder.add('Shape', [hidden])]);
  builder.output(output, 'float32', ['batch', 'tokens', hiddenSize], 'output');
  return builder.build();
}

function blockWeights(config: ModelConfig, layer: number): WeightBinding[] {
  const prefix = `model.layers.${layer}`;
  const { hiddenSize, headDimension, queryHeads, keyValueHeads } = config;
  const widths = config.layerWidths[layer] ?? { keyValueHeads, neurons: config.neurons };
  const keyChannels = widths.keyValueHeads * headDimension;
  const queryChannels = keyChannels * (queryHeads / keyValueHeads);
  const hiddenBias = { shape: [hiddenSize], optional: true };
  return [
    { input: 'attention.norm', tensor: `${prefix}.input_layernorm.weight`, shape: [hiddenSize] },
    { input: 'attention.query', tensor: `${prefix}.self_attn.q_proj.weight`, shape: [queryChannels, hiddenSize] },
    { input: 'attention.key', tensor: `${prefix}.self_attn.k_proj.weight`, shape: [keyChannels, hiddenSize] },
    { input: 'attention.value', tensor: `${prefix}.self_attn.v_proj.weight`, shape: [keyChannels, hiddenSize] },
    { input: 'attention.output', tensor: `${prefix}.self_attn.o_proj.weight`, shape: [hiddenSize, queryChannels] },
    { input: 'attention.output.bias', tensor: `${prefix}.self_attn.o_proj.bias`, ...hiddenBias },
    { input: 'mlp.norm', tensor: `${prefix}.post_attention_layernorm.weight`, shape: [hiddenSize] },
    { input: 'mlp.gate', tensor: `${prefix}.mlp.gate_proj.weight`, shape: [widths.neurons, hiddenSize] },
    { input: 'mlp.up', tensor: `${prefix}.mlp.up_proj.weight`, shape: [widths.neurons, hiddenSize] },
    { input: 'mlp.down', tensor: `${prefix}.mlp.down_proj.weight`, shape: [hiddenSize, widths.neurons] },
    { input: 'mlp.down.bias', tensor: `${prefix}.mlp.down_proj.bias`, ...hiddenBias },
  ];
}
