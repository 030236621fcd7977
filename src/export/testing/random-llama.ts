import { elementCount } from '../../arrays.ts';
import type { Checkpoint, TensorInfo } from '../../checkpoint/checkpoint.ts';
import { seededRandom } from '../../random.ts';
import { memoryCheckpoint } from './memory-checkpoint.ts';

export interface RandomLlamaOptions {
  readonly layers?: number;
  readonly hiddenSize?: number;
  readonly queryHeads?: number;
  readonly keyValueHeads?: number;
  readonly headDimension?: number;
  readonly neurons?: number;
  readonly vocabulary?: number;
  /** Default 128. */
  readonly maximumPositions?: number;
  /** Kept widths per layer, as a pruned model has them. */
  readonly widths?: readonly { readonly keyValueHeads: number; readonly neurons: number }[];
  readonly tied?: boolean;
  /** Biases of output and down projections, as compensation adds them. */
  readonly biases?: boolean;
  readonly seed?: number;
}

/** A small LLaMA with random weights, for tests. A module of width 0 has no matrices; a layer without both has no tensors. */
export function randomLlama(options: RandomLlamaOptions = {}): Checkpoint {
  const {
    layers = 3,
    hiddenSize = 48,
    queryHeads = 4,
    keyValueHeads = 2,
    headDimension = 16,
    neurons = 40,
    vocabulary = 64,
  } = options;
  const { tied = true, biases = false, seed = 1 } = options;
  const widths = options.widths ?? Array.from({ length: layers }, () => ({ keyValueHeads, neurons }));
  const random = seededRandom(seed);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const data = new Map<string, Float32Array>();
  const tensors = new Map<string, TensorInfo>();
  const add = (name: string, shape: readonly number[], spread: number, centre = 0) => {
    const size = elementCount(shape);
    data.set(
      name,
      Float32Array.from({ length: size }, () => centre + spread * normal()),
    );
    tensors.set(name, { name, storage: 'F32', shape, byteLength: 4 * size });
  };
  const matrix = (name: string, rows: number, columns: number) => add(name, [rows, columns], 1 / Math.sqrt(columns));
  const norm = (name: string) => add(name, [hiddenSize], 0.2, 1);

  add('model.embed_tokens.weight', [vocabulary, hiddenSize], 0.5);
  widths.forEach((width, layer) => {
    const prefix = `model.layers.${layer}`;
    const keyChannels = width.keyValueHeads * headDimension;
    const queryChannels = keyChannels * (queryHeads / keyValueHeads);
    if (width.keyValueHeads > 0) {
      norm(`${prefix}.input_layernorm.weight`);
      matrix(`${prefix}.self_attn.q_proj.weight`, queryChannels, hiddenSize);
      matrix(`${prefix}.self_attn.k_proj.weight`, keyChannels, hiddenSize);
      matrix(`${prefix}.self_attn.v_proj.weight`, keyChannels, hiddenSize);
      matrix(`${prefix}.self_attn.o_proj.weight`, hiddenSize, queryChannels);
    }
    if (width.neurons > 0) {
      norm(`${prefix}.post_attention_layernorm.weight`);
      matrix(`${prefix}.mlp.gate_proj.weight`, width.neurons, hiddenSize);
      matrix(`${prefix}.mlp.up_proj.weight`, width.neurons, hiddenSize);
      matrix(`${prefix}.mlp.down_proj.weight`, hiddenSize, width.neurons);
    }
    if (biases && width.keyValueHeads + width.neurons > 0) {
      add(`${prefix}.self_attn.o_proj.bias`, [hiddenSize], 0.3);
      add(`${prefix}.mlp.down_proj.bias`, [hiddenSize], 0.3);
    }
  });
  norm('model.norm.weight');
  if (!tied) matrix('lm_head.weight', vocabulary, hiddenSize);

  const config = {
    model_type: 'llama',
    architectures: ['LlamaForCausalLM'],
    num_hidden_layers: widths.length,
    hidden_size: hiddenSize,
    num_attention_heads: queryHeads,
    num_key_value_heads: keyValueHeads,
    head_dim: headDimension,
    intermediate_size: neurons,
    vocab_size: vocabulary,
    max_position_embeddings: options.maximumPositions ?? 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    hidden_act: 'silu',
    tie_word_embeddings: tied,
    bos_token_id: 1,
    eos_token_id: 2,
    ...(options.widths ? { espalier: { layers: widths } } : {}),
  };
  return memoryCheckpoint(
    { name: 'random-llama', format: 'safetensors', licence: 'apache-2.0' },
    config,
    tensors,
    data,
  );
}
