import { UnsupportedError } from '../errors.ts';

/**
 * What is done with a key of config.json: it is read ('honoured'), it changes nothing of what is computed ('harmless'), or it is refused unless it has
 * one of the `assumed` values, because something that is not computed hangs on it. A key that is absent or null is never refused.
 */
export type KeyRule = 'honoured' | 'harmless' | Refusal;

interface Refusal {
  readonly assumed: readonly unknown[];
  readonly because: string;
  /** Default: another model. */
  readonly remedy?: string;
}

export type KeyRules = Readonly<Record<string, KeyRule>>;

type Raw = Readonly<Record<string, unknown>>;

/** Refused unless it has one of the assumed values. */
export const only = (because: string, ...assumed: readonly unknown[]): KeyRule => ({ assumed, because });
/** One rule for several keys, given in one string. */
export const all = (rule: KeyRule, keys: string): KeyRules =>
  Object.fromEntries(
    keys
      .trim()
      .split(/\s+/)
      .map((key) => [key, rule]),
  );

const SOFT_CAPS = only('softcapping is not supported');
const EXPERTS = only('mixtures of experts are not supported', 0, 1);
const FACTOR = only('this factor is not computed', 1);
const NO_WINDOW: KeyRule = {
  assumed: [false],
  because: 'the layers of this model_type see everything',
  remedy: 'Remove it from config.json if they do, or name the model_type whose layers look through a window (mistral).',
};

/** Keys that mean the same in every architecture. */
export const COMMON: KeyRules = {
  ...all(
    'honoured',
    `model_type vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim hidden_act
     hidden_activation max_position_embeddings original_max_position_embeddings rms_norm_eps rope_theta rope_scaling rope_parameters
     tie_word_embeddings attention_bias mlp_bias layer_types bos_token_id eos_token_id espalier quantization_config
     quantization`,
  ),
  // Training, provenance, the tokenizer, and settings of generation and of other programs.
  ...all(
    'harmless',
    `_name_or_path name_or_path architectures auto_map transformers_version torch_dtype dtype tokenizer_class model_max_length max_sequence_length
     initializer_range attention_dropout attn_pdrop embd_pdrop resid_pdrop hidden_dropout classifier_dropout dropout pretraining_tp use_cache
     cache_implementation use_flash_attention use_flash_attn _flash_attn_2_enabled _attn_implementation attn_implementation
     _attn_implementation_autoset attn_implementation_autoset pad_token_id unk_token_id sep_token_id decoder_start_token_id is_llama_config
     is_decoder id2label label2id num_labels problem_type finetuning_task task_specific_params prefix chunk_size_feed_forward output_attentions
     output_hidden_states output_scores return_dict return_dict_in_generate torchscript use_bfloat16 tf_legacy_loss unsloth_version unsloth_fixed
     transformers.js_config do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p
     repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences max_length min_length
     forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
     cross_attention_hidden_size max_window_layers`,
  ),
  is_encoder_decoder: only('Espalier prunes decoders only', false),
  add_cross_attention: only('Espalier prunes decoders only', false),
  is_causal: only('Espalier prunes causal language models only', true),
  use_bidirectional_attention: only('Espalier prunes causal language models only', false),
  tie_encoder_decoder: only('Espalier prunes decoders only', false),
  pruned_heads: only('heads that are missing cannot be told from the others', {}),
  ...all(
    SOFT_CAPS,
    'attn_logit_softcapping final_logit_softcapping attn_logit_softcap final_logit_softcap logit_softcap',
  ),
  ...all(
    EXPERTS,
    'num_experts num_local_experts n_routed_experts num_experts_per_tok n_shared_experts moe_intermediate_size shared_expert_intermediate_size',
  ),
  ...all(
    FACTOR,
    `embedding_multiplier residual_multiplier logits_scaling logit_scale embedding_scale scale_emb scale_depth mup_width_scale lm_head_multiplier
     full_attn_mod interpolate_factor`,
  ),
  // In place of the root of head_dim: 1 is no neutral value.
  ...all(only('attention is scaled by the root of head_dim'), 'attention_multiplier attn_scale'),
  dim_model_base: only('the scaled output of MiniCPM is not computed'),
  query_pre_attn_scalar: only('this architecture takes head_dim for it'),
  ...all(
    NO_WINDOW,
    'sliding_window use_sliding_window sliding_window_pattern _sliding_window_pattern attention_chunk_size',
  ),
  rope_local_base_freq: only('this architecture has one rotary base'),
  ...all(only('channels are turned in halves', false), 'rope_interleaved rope_interleave rotary_interleaved'),
  partial_rotary_factor: {
    assumed: [1],
    because: 'transformers turns all channels in this architecture, and other programs turn fewer',
    remedy: 'Remove it from config.json if all were turned in training.',
  },
  ...all(
    only('partial_rotary_factor is the key that is read'),
    'rotary_dim rotary_pct rotary_ndims rope_dim qk_rope_head_dim',
  ),
  use_mrope: only('positions of images are not supported', false),
  ...all(only('all layers turn their queries and keys'), 'no_rope_layers no_rope_layer_interval nope_layer_interval'),
  ...all(
    only('norms of queries and keys are not computed in this architecture', false),
    'use_qk_norm qk_norm qk_layernorm',
  ),
  ...all(only('attention and MLP are computed one after the other', false), 'parallel_attn use_parallel_residual'),
  ...all(only('positions are rotary', false), 'alibi use_alibi'),
  position_embedding_type: only('positions are rotary', 'rope', 'rotary', 'absolute'),
  ...all(only('a bias of the output matrix is not supported', false), 'lm_head_bias'),
  cross_attention_layers: only('Espalier prunes decoders only', []),
  use_bias: only('attention_bias and mlp_bias are the keys that are read', false),
  qkv_bias: only('attention_bias is the key that is read', false),
  clip_qkv: only('clipping is not supported'),
  num_nextn_predict_layers: only('layers that predict further tokens are not supported', 0),
};

/** Keys of `rope_scaling` and `rope_parameters`. */
export const ROPE_KEY_RULES: KeyRules = {
  ...all(
    'honoured',
    `rope_type type rope_theta partial_rotary_factor factor original_max_position_embeddings low_freq_factor high_freq_factor attention_factor
     beta_fast beta_slow mscale mscale_all_dim truncate short_factor long_factor`,
  ),
  // The last: which channels turn by which axis of an image; all axes of a text are one.
  ...all('harmless', 'finetuned mrope_section mrope_interleaved'),
  ...all(FACTOR, 'short_mscale long_mscale extrapolation_factor'),
  attn_factor: {
    assumed: [1],
    because: 'transformers leaves it out, and other programs multiply by it',
    remedy:
      'Remove it to compute what transformers does, or write attention_factor, which is 0.1 ln(factor) + 1 times it, for what they do.',
  },
};

/** Words in a key's name that say that what is computed depends on it. */
const COMPUTES =
  /softcap|multiplier|scal(e|ing|ar)(_|$)|bias|residual|expert|moe|alibi|rope|rotary|sliding|window|mup|mscale|norm|cross_att|bidirectional|clip|gate|adapter|lora|activation|num_.*(layers|heads|groups)|factor/;

/** Values that switch something off, whatever it is. */
const isNeutral = (value: unknown) =>
  value === undefined || value === null || value === false || value === '' || value === 0 || isEmpty(value);
const isEmpty = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/**
 * Holds a config, or an object inside it (`path`), against the rules. Throws UnsupportedError for a key whose value is refused, and for one that is not
 * known while its name says that it changes what is computed.
 */
export function checkKeys(raw: Raw, rules: KeyRules, path = ''): void {
  for (const [key, value] of Object.entries(raw)) {
    if (value === undefined || value === null) continue;
    const name = `config.json: ${path}${key} is ${short(value)}`;
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    if (rule === 'honoured' || rule === 'harmless') continue;
    if (rule === undefined) {
      if ((path === '' && !COMPUTES.test(key)) || isNeutral(value)) continue;
      throw new UnsupportedError(
        `${name}, a key that is not known here, and its name says that it changes what is computed. Remove it from config.json if it does not; else choose another model.`,
      );
    }
    if (!rule.assumed.some((assumed) => JSON.stringify(assumed) === JSON.stringify(value)))
      throw new UnsupportedError(`${name}; ${rule.because}. ${rule.remedy ?? 'Choose a model without it.'}`);
  }
}

/** A value as JSON, short enough for a sentence. */
function short(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
