import { UnsupportedError } from '../../../errors.ts';
import { quote } from '../../weights.ts';
import type { GgufMetadata } from './gguf-metadata.ts';

/** Entries below an architecture's name that are read (`ggufConfig`) or that change nothing. */
const KNOWN: readonly string[] = [
  'context_length',
  'embedding_length',
  'block_count',
  'feed_forward_length',
  'attention.head_count',
  'attention.head_count_kv',
  'attention.key_length',
  'attention.value_length',
  'attention.layer_norm_rms_epsilon',
  'rope.dimension_count',
  'rope.freq_base',
  'rope.scaling.type',
  'rope.scaling.factor',
  'rope.scaling.original_context_length',
  'rope.scaling.finetuned',
  'rope.scaling.yarn_beta_fast',
  'rope.scaling.yarn_beta_slow',
  'pooling_type',
  'vocab_size',
  'tensor_data_layout',
  'attention.layer_norm_epsilon',
];

/** Entries that only some architectures have here. */
const KNOWN_OF: Readonly<Record<string, readonly string[]>> = {
  gemma3: ['attention.sliding_window', 'attention.sliding_window_pattern', 'rope.freq_base_swa'],
  phi3: ['attention.sliding_window', 'rope.scaling.attn_factor'],
};

/** Entries that say that something is switched off, by the value that says so. */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  expert_count: [0],
  expert_used_count: [0],
  'attention.causal': [true],
  'attention.sliding_window': [0],
  'rope.scaling.attn_factor': [1],
  'rope.scaling.yarn_attn_factor': [1],
  'rope.scaling.yarn_ext_factor': [1],
  logit_scale: [1],
  residual_scale: [1],
  embedding_scale: [1],
  attn_logit_softcapping: [0],
  final_logit_softcapping: [0],
  use_parallel_residual: [false],
  'attention.clamp_kqv': [0],
  nextn_predict_layers: [0],
};

/**
 * Everything below an architecture's name says what is computed. Throws UnsupportedError for an entry that is not read here, unless its value switches off
 * what it stands for.
 */
export function checkGgufKeys(metadata: GgufMetadata, architecture: string): void {
  for (const [entry, value] of metadata.beginning(`${architecture}.`)) {
    const key = entry.slice(architecture.length + 1);
    if (KNOWN.includes(key) || KNOWN_OF[architecture]?.includes(key) || NEUTRAL[key]?.includes(value)) continue;
    const found = typeof value === 'object' ? 'a list' : JSON.stringify(value);
    throw new UnsupportedError(
      `${metadata.file}: the metadata entry ${quote(entry)} is ${found}, which changes what is computed and is not read here. Take the model's safetensors.`,
    );
  }
}
