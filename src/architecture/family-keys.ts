import { all, COMMON, type KeyRules, only } from './config-keys.ts';

const PART_TURNS = all('honoured', 'partial_rotary_factor');
const WINDOWS = all('honoured', 'sliding_window');
const QWEN_WINDOWS = all('honoured', 'sliding_window use_sliding_window max_window_layers');
const QUERY_KEY_NORMS = all(
  only('this architecture has norms of queries and keys', true),
  'use_qk_norm qk_norm qk_layernorm',
);

const GRANITE_FACTORS = all('honoured', 'embedding_multiplier attention_multiplier residual_multiplier logits_scaling');
const PAIRS = all(only('channels are turned in pairs', true), 'rope_interleaved rope_interleave rotary_interleaved');

/** Keys of the rotary embedding, which learned positions have none of. */
const ROTATION = 'rope_theta rope_scaling rope_parameters partial_rotary_factor original_max_position_embeddings';

/** Rules but for keys that a family has under other names. */
const without = (rules: KeyRules, keys: string): KeyRules =>
  Object.fromEntries(Object.entries(rules).filter(([key]) => !keys.split(' ').includes(key)));

const LFM2: KeyRules = {
  ...COMMON,
  ...QUERY_KEY_NORMS,
  ...all(
    'honoured',
    `norm_eps conv_L_cache conv_bias full_attn_idxs block_auto_adjust_ff_dim block_ff_dim block_ffn_dim_multiplier block_multiple_of tie_embedding`,
  ),
  ...all(
    'harmless',
    'block_dim block_mlp_init_scale block_norm_eps block_out_init_scale block_use_xavier_init conv_dim conv_dim_out conv_use_xavier_init num_heads',
  ),
  rms_norm_eps: 'harmless',
  ...all(only('this architecture has no such biases', false), 'attention_bias mlp_bias'),
  ...all(only('this architecture has silu'), 'hidden_act hidden_activation'),
  block_use_swiglu: only('the MLP of this architecture has a gate', true),
  use_pos_enc: only('all attention of this architecture turns queries and keys', true),
};

/** Of mixtures of experts. */
const MIXTURE: KeyRules = {
  ...all('honoured', 'num_experts num_experts_per_tok moe_intermediate_size norm_topk_prob'),
  ...all('harmless', 'output_router_logits router_aux_loss_coef'),
};

/** By `model_type`: what each architecture does with each key that is known. */
export const KEY_RULES: Readonly<Record<string, KeyRules>> = {
  llama: COMMON,
  mistral: { ...COMMON, ...WINDOWS },
  qwen2: {
    ...COMMON,
    ...QWEN_WINDOWS,
    attention_bias: only('this architecture has biases', true),
    qkv_bias: only('this architecture has biases', true),
  },
  qwen3: { ...COMMON, ...QWEN_WINDOWS, ...QUERY_KEY_NORMS },
  gemma3_text: {
    ...COMMON,
    ...WINDOWS,
    ...QUERY_KEY_NORMS,
    ...all('honoured', 'sliding_window_pattern _sliding_window_pattern rope_local_base_freq query_pre_attn_scalar'),
  },
  phi3: { ...COMMON, ...PART_TURNS, ...WINDOWS },
  lfm2: LFM2,
  lfm2_moe: {
    ...LFM2,
    ...MIXTURE,
    ...all('honoured', 'num_dense_layers use_expert_bias routed_scaling_factor'),
    ...all(
      'harmless',
      'block_auto_adjust_ff_dim block_ff_dim block_ffn_dim_multiplier block_multiple_of full_attn_idxs',
    ),
  },
  gpt_oss: {
    ...COMMON,
    ...WINDOWS,
    ...all('honoured', 'num_experts_per_tok num_local_experts swiglu_alpha swiglu_limit'),
    ...all(
      'harmless',
      'num_experts experts_per_token initial_context_length norm_topk_prob moe_intermediate_size output_router_logits router_aux_loss_coef',
    ),
    attention_bias: only('this architecture has biases', true),
    mlp_bias: only('this architecture has biases of its own', false),
    ...all(only('the gate of this architecture is clamped silu', 'silu'), 'hidden_act hidden_activation'),
  },
  qwen3_moe: {
    ...COMMON,
    ...QWEN_WINDOWS,
    ...QUERY_KEY_NORMS,
    ...MIXTURE,
    ...all('honoured', 'num_local_experts decoder_sparse_step mlp_only_layers'),
  },
  qwen3_5_text: {
    ...COMMON,
    ...PART_TURNS,
    ...QUERY_KEY_NORMS,
    ...all(
      'honoured',
      'linear_conv_kernel_dim linear_key_head_dim linear_value_head_dim linear_num_key_heads linear_num_value_heads full_attention_interval',
    ),
    // What predicts further tokens is no part of the text that is written, and states are kept in the type of the export.
    ...all('harmless', 'mtp_num_hidden_layers mtp_use_dedicated_embeddings mamba_ssm_dtype'),
    attn_output_gate: only('attention of this architecture is gated', true),
    output_gate_type: only('what gates the delta net is silu', 'swish', 'silu'),
    mlp_only_layers: only('this architecture has no experts', []),
  },
  granite: { ...COMMON, ...GRANITE_FACTORS },
  granitemoehybrid: {
    ...without(COMMON, 'intermediate_size mlp_bias layer_types'),
    ...GRANITE_FACTORS,
    ...all('honoured', 'shared_intermediate_size num_local_experts layer_types position_embedding_type'),
    mlp_bias: only('the MLP of this architecture has no biases', false),
    // Of layers of a kind, and of experts, that a dense model has not; and what transformers writes without reading it.
    ...all(
      'harmless',
      `intermediate_size num_experts_per_tok output_router_logits router_aux_loss_coef mamba_n_heads mamba_n_groups mamba_d_state mamba_d_head mamba_d_conv
       mamba_expand mamba_chunk_size mamba_conv_bias mamba_proj_bias time_step_limit time_step_min time_step_max time_step_floor normalization_function init_method
       attention_head_type layers_block_type`,
    ),
  },
  smollm3: {
    ...COMMON,
    ...all('honoured', 'sliding_window use_sliding_window no_rope_layers no_rope_layer_interval'),
  },
  gemma: COMMON,
  gemma2: {
    ...COMMON,
    ...WINDOWS,
    ...all('honoured', 'query_pre_attn_scalar attn_logit_softcapping final_logit_softcapping'),
  },
  olmo2: { ...COMMON, ...QUERY_KEY_NORMS },
  olmo3: { ...COMMON, ...WINDOWS, ...QUERY_KEY_NORMS },
  glm: { ...COMMON, ...PART_TURNS, ...PAIRS },
  glm4: { ...COMMON, ...PART_TURNS, ...PAIRS },
  ernie4_5: { ...without(COMMON, 'attention_bias mlp_bias'), ...PAIRS, ...all('honoured', 'use_bias') },
  hunyuan_v1_dense: { ...COMMON, ...QUERY_KEY_NORMS, ...all('harmless', 'eod_token_id im_start_id im_end_id') },
  stablelm: {
    ...without(COMMON, 'rms_norm_eps attention_bias'),
    ...PART_TURNS,
    ...all('honoured', 'layer_norm_eps use_qkv_bias use_parallel_residual'),
  },
  starcoder2: {
    ...without(COMMON, 'rms_norm_eps attention_bias mlp_bias'),
    ...WINDOWS,
    ...all('honoured', 'norm_epsilon use_bias'),
    ...all('harmless', 'residual_dropout embedding_dropout'),
  },
  phi: {
    ...without(COMMON, 'rms_norm_eps attention_bias mlp_bias'),
    ...PART_TURNS,
    ...all('honoured', 'layer_norm_eps'),
  },
  ministral3: { ...COMMON, ...WINDOWS },
  gpt2: {
    ...without(
      COMMON,
      `hidden_size num_hidden_layers num_attention_heads intermediate_size max_position_embeddings hidden_act rms_norm_eps attention_bias mlp_bias ${ROTATION}`,
    ),
    ...all('honoured', 'n_positions n_embd n_layer n_head n_inner activation_function layer_norm_epsilon'),
    ...all(
      'harmless',
      'n_ctx reorder_and_upcast_attn summary_type summary_use_proj summary_activation summary_proj_to_labels summary_first_dropout',
    ),
    scale_attn_weights: only('attention is scaled by the root of head_dim', true),
    scale_attn_by_inverse_layer_idx: only('attention is scaled by the root of head_dim', false),
  },
  gpt_neox: {
    ...without(COMMON, 'rms_norm_eps rope_theta partial_rotary_factor mlp_bias'),
    ...all('honoured', 'layer_norm_eps rotary_pct rotary_emb_base use_parallel_residual'),
  },
  opt: {
    ...without(
      COMMON,
      `intermediate_size hidden_act hidden_activation rms_norm_eps attention_bias mlp_bias ${ROTATION}`,
    ),
    ...all('honoured', 'ffn_dim activation_function enable_bias word_embed_proj_dim'),
    ...all('harmless', 'layerdrop init_std'),
    do_layer_norm_before: only('norms behind the modules, which OPT-350M has, are not computed', true),
    _remove_final_layer_norm: only('the last norm is always computed', false),
    layer_norm_elementwise_affine: only('norms have weights', true),
  },
};
