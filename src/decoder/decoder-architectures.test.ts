import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { Programs } from '../architecture/programs.ts';
import { WeightStore } from '../architecture/weight-store.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { randomModel } from '../export/testing/random-model.ts';
import { verifyDecoder } from '../export/verify.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { decoderGraph } from './decoder-graph.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const SIZES = {
  num_hidden_layers: 4,
  hidden_size: 48,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  intermediate_size: 40,
  vocab_size: 64,
  max_position_embeddings: 128,
  tie_word_embeddings: true,
  rope_theta: 10_000,
};
const WIDTHS = {
  layers: [
    { keyValueHeads: 2, neurons: 40 },
    { keyValueHeads: 1, neurons: 11 },
    { keyValueHeads: 0, neurons: 0 },
    { keyValueHeads: 1, neurons: 40 },
  ],
};

const LFM2 = {
  ...SIZES,
  model_type: 'lfm2',
  layer_types: ['conv', 'full_attention', 'conv', 'conv'],
  block_auto_adjust_ff_dim: false,
};
const LFM2_WIDTHS = {
  layers: [
    { keyValueHeads: 0, channels: 31, neurons: 40 },
    { keyValueHeads: 1, neurons: 11 },
    { keyValueHeads: 0, channels: 0, neurons: 0 },
    { keyValueHeads: 0, channels: 48, neurons: 9 },
  ],
};

const QWEN35 = {
  ...SIZES,
  model_type: 'qwen3_5_text',
  layer_types: ['linear_attention', 'full_attention', 'linear_attention', 'linear_attention'],
  partial_rotary_factor: 0.5,
  linear_key_head_dim: 12,
  linear_value_head_dim: 8,
  linear_num_key_heads: 3,
  linear_num_value_heads: 3,
};

const OWN_WIDTHS: Readonly<Record<string, object>> = {
  lfm2: LFM2_WIDTHS,
  qwen3_5_text: {
    layers: [
      { keyValueHeads: 0, neurons: 40 },
      { keyValueHeads: 1, neurons: 11 },
      { keyValueHeads: 0, neurons: 0 },
      { keyValueHeads: 0, neurons: 9 },
    ],
  },
  qwen3_moe: {
    layers: [
      { keyValueHeads: 2, neurons: 12, experts: [10, 2] },
      { keyValueHeads: 1, neurons: 11 },
      { keyValueHeads: 0, neurons: 0, experts: [] },
      { keyValueHeads: 1, neurons: 3, experts: [3] },
    ],
  },
};

/** What each adds to LLaMA is in its name. */
const CONFIGS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'qwen2, biases of query, key and value': { ...SIZES, model_type: 'qwen2' },
  'qwen3, norms of queries and keys': { ...SIZES, model_type: 'qwen3' },
  'mistral, a window': { ...SIZES, model_type: 'mistral', sliding_window: 7 },
  'mistral, a window longer than the text': { ...SIZES, model_type: 'mistral', sliding_window: 100 },
  'mistral, a window in ordinary operators': { ...SIZES, model_type: 'mistral', sliding_window: 7, head_dim: 12 },
  'phi3, fused tensors': { ...SIZES, model_type: 'phi3' },
  'gemma3, four norms with an offset, gelu, scales, two rotary bases, windows in some layers': {
    ...SIZES,
    model_type: 'gemma3_text',
    sliding_window: 9,
    sliding_window_pattern: 2,
    query_pre_attn_scalar: 24,
  },
  'qwen3-moe, experts in some layers': {
    ...SIZES,
    model_type: 'qwen3_moe',
    mlp_only_layers: [1],
    num_experts: 4,
    moe_intermediate_size: 10,
    num_experts_per_tok: 2,
  },
  'lfm2, gated short convolutions': LFM2,
  'lfm2, gated short convolutions with biases and two taps': { ...LFM2, conv_bias: true, conv_L_cache: 2 },
  'qwen3.5, gated delta nets and gated attention': QWEN35,
  'qwen3.5, value heads that share queries and keys': {
    ...QWEN35,
    linear_num_key_heads: 2,
    linear_num_value_heads: 4,
    linear_conv_kernel_dim: 3,
    partial_rotary_factor: 1,
  },
  'gemma2, soft caps': {
    ...SIZES,
    model_type: 'gemma2',
    sliding_window: 9,
    attn_logit_softcapping: 2,
    final_logit_softcapping: 3,
  },
  'gemma2, soft caps in ordinary operators': {
    ...SIZES,
    model_type: 'gemma2',
    head_dim: 12,
    attn_logit_softcapping: 2,
  },
  'glm4, channels in pairs inside attention': { ...SIZES, model_type: 'glm4', partial_rotary_factor: 1 },
  'glm4, channels in pairs before attention': { ...SIZES, model_type: 'glm4' },
  'smollm3, layers without rotation': { ...SIZES, model_type: 'smollm3', no_rope_layer_interval: 3 },
  'starcoder2, layer norms, no gate': { ...SIZES, model_type: 'starcoder2', hidden_act: 'relu' },
  'stablelm, modules side by side': { ...SIZES, model_type: 'stablelm', use_parallel_residual: true },
};

for (const [name, config] of Object.entries(CONFIGS)) {
  const pruned = { espalier: OWN_WIDTHS[String(config.model_type)] ?? WIDTHS };
  for (const [kind, widths] of Object.entries({ dense: {}, pruned })) {
    test(`the decoder of ${name} (${kind}) equals its block programs`, async () => {
      const model = modelOf(randomModel({ ...config, ...widths }));
      using programs = new Programs(runtime, model.architecture);
      using store = new WeightStore(runtime, model);
      using decoder = await decoderForModel(runtime, model);
      const windows = [0, 1, 2, 3, 4, 5, 6].map((start) =>
        Array.from({ length: 40 }, (_, index) => (start + index * 29) % 64),
      );
      const { maxAbsoluteDifference, positions } = await verifyDecoder(decoder, blockProgramLogits(programs, store), {
        dataType: 'f32',
        windows,
      });
      expect(positions).toBe(280);
      // The norm of what a recurrence gives makes much of little, rounding included.
      expect(maxAbsoluteDifference).toBeLessThan(config === QWEN35 ? 3e-4 : 5e-5);
    });
  }
}

/** Operators of ONNX's own domain, with the operator set in which they came (scripts/fixtures/onnx_operators.py). */
const standard = JSON.parse(await readFile(new URL('fixtures/onnx-operators.json', import.meta.url), 'utf8')) as Record<
  string,
  number
>;

test.each(Object.entries(CONFIGS))(
  'the graph of %s has no operator that ONNX does not know under its domain',
  (_, config) => {
    const model = modelOf(randomModel(config));
    for (const dataType of ['f32', 'f16', 'q8', 'q4'] as const) {
      const { graph } = decoderGraph(model, { dataType });
      const unknown = graph.nodes.filter(
        ({ domain, operator }) =>
          domain === '' && !((standard[operator] ?? Number.POSITIVE_INFINITY) <= (graph.opsets[''] ?? 0)),
      );
      expect(unknown.map(({ operator }) => operator)).toEqual([]);
      expect(graph.nodes.some(({ operator }) => /^Skip(Simplified)?LayerNormalization$/.test(operator))).toBe(true);
    }
  },
);
