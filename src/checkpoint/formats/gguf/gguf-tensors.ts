/** From llama.cpp's tensor names and contents to those of the Hugging Face layout, and back. */

/** How the stored values differ from the canonical ones. */
export type GgufChange =
  | { readonly kind: 'none' }
  /** Rows of each head are interleaved for llama.cpp's rotary embedding. */
  | { readonly kind: 'interleaved-heads'; readonly headDimension: number }
  /** Gemma's norms are stored with the 1 added that its formula adds. */
  | { readonly kind: 'plus-one' };

export interface CanonicalTensor {
  readonly name: string;
  readonly change: GgufChange;
}

const OUTER: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
};

const INNER: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_qkv: 'self_attn.qkv_proj',
  attn_output: 'self_attn.o_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};

/** Gemma 3 has norms before and after both halves of a block. */
const GEMMA_INNER: Readonly<Record<string, string>> = {
  ...INNER,
  ffn_norm: 'pre_feedforward_layernorm',
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
};

/** Phi-3 has gate and up in one. */
const PHI_INNER: Readonly<Record<string, string>> = { ...INNER, ffn_up: 'mlp.gate_up_proj' };

/** Architectures whose rotary embedding turns neighbouring channels, so that rows of queries and keys are stored in that order. */
export const INTERLEAVED: ReadonlySet<string> = new Set(['llama', 'deci']);

/** The canonical name of a stored tensor, or undefined for one that stands for settings (rope factors) or is unknown. */
export function canonicalTensor(
  stored: string,
  architecture: string,
  headDimension: number,
): CanonicalTensor | undefined {
  const match = /^(?:blk\.(\d{1,6})\.)?([a-z_]+)\.(weight|bias)$/.exec(stored);
  if (!match) return undefined;
  const [, layer, part = '', suffix = ''] = match;
  const table = tableOf(layer !== undefined, architecture);
  const base = Object.hasOwn(table, part) ? table[part] : undefined;
  if (base === undefined) return undefined;
  const name = layer === undefined ? `${base}.${suffix}` : `model.layers.${Number(layer)}.${base}.${suffix}`;
  return { name, change: changeOf(part, architecture, headDimension) };
}

function tableOf(inLayer: boolean, architecture: string): Readonly<Record<string, string>> {
  if (!inLayer) return OUTER;
  return architecture === 'gemma3' ? GEMMA_INNER : architecture === 'phi3' ? PHI_INNER : INNER;
}

function changeOf(part: string, architecture: string, headDimension: number): GgufChange {
  if (INTERLEAVED.has(architecture) && (part === 'attn_q' || part === 'attn_k'))
    return { kind: 'interleaved-heads', headDimension };
  if (architecture === 'gemma3' && part.endsWith('norm')) return { kind: 'plus-one' };
  return { kind: 'none' };
}

/**
 * The stored row of a canonical row. llama.cpp's converter writes row i of the first half of a head (0 <= i < D/2) at 2i and row i of the second half at
 * 2i + 1 (convert_hf_to_gguf.py, LlamaModel.permute).
 */
export function storedRow(row: number, headDimension: number): number {
  const inHead = row % headDimension;
  const half = headDimension / 2;
  return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
}

/** Puts whole heads of interleaved rows, [heads * headDimension, rowSize], back into the canonical order. */
export function deinterleaveHeads(values: Float32Array, headDimension: number, rowSize: number): Float32Array {
  const result = new Float32Array(values.length);
  const rows = values.length / rowSize;
  for (let row = 0; row < rows; row += 1) {
    const from = storedRow(row, headDimension) * rowSize;
    result.set(values.subarray(from, from + rowSize), row * rowSize);
  }
  return result;
}

/** The stored name of a canonical tensor; undefined where llama.cpp has none for it. */
export function storedTensor(canonical: string, architecture: string): string | undefined {
  const match = /^(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(canonical);
  if (!match) return undefined;
  const [, index, base = '', suffix = ''] = match;
  const part = Object.entries(tableOf(index !== undefined, architecture)).find(([, name]) => name === base)?.[0];
  if (part === undefined) return undefined;
  return index === undefined ? `${part}.${suffix}` : `blk.${index}.${part}.${suffix}`;
}
