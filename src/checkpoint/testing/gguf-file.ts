/** A tensor of a GGUF file, in float32. */
export interface GgufTestTensor {
  /** Slowest axis first. */
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

type Value = string | boolean | number | readonly string[] | { readonly f32: number };

const ALIGNMENT = 32;
const encode = (text: string) => new TextEncoder().encode(text);
const word = (value: number | bigint, bytes: number) =>
  new Uint8Array(BigUint64Array.of(BigInt(value)).buffer).slice(0, bytes);
const text = (value: string) => [...word(encode(value).length, 8), ...encode(value)];

function typed(value: Value): number[] {
  if (typeof value === 'string') return [...word(8, 4), ...text(value)];
  if (typeof value === 'boolean') return [...word(7, 4), Number(value)];
  if (typeof value === 'number') return [...word(4, 4), ...word(value, 4)];
  if ('f32' in value) return [...word(6, 4), ...new Uint8Array(Float32Array.of(value.f32).buffer)];
  return [...word(9, 4), ...word(8, 4), ...word(value.length, 8), ...value.flatMap(text)];
}

/** A GGUF file of version 3: whole numbers are written as 32-bit unsigned ones. */
export function ggufFile(
  metadata: Readonly<Record<string, Value>>,
  tensors: Readonly<Record<string, GgufTestTensor>> = {},
): Uint8Array {
  const entries = Object.entries(metadata).flatMap(([key, value]) => [...text(key), ...typed(value)]);
  const infos: number[] = [];
  const data: number[] = [];
  for (const [name, { shape, data: values }] of Object.entries(tensors)) {
    while (data.length % ALIGNMENT !== 0) data.push(0);
    const sizes = [...shape].reverse().flatMap((size) => [...word(size, 8)]);
    infos.push(...text(name), ...word(shape.length, 4), ...sizes, ...word(0, 4), ...word(data.length, 8));
    data.push(...new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  const counts = [...word(Object.keys(tensors).length, 8), ...word(Object.keys(metadata).length, 8)];
  const header = [...encode('GGUF'), ...word(3, 4), ...counts, ...entries, ...infos];
  while (header.length % ALIGNMENT !== 0) header.push(0);
  return Uint8Array.from([...header, ...data]);
}

/** Metadata of a LLaMA with one layer, two heads of four channels and a hidden size of eight. */
export const TINY_LLAMA = {
  'general.architecture': 'llama',
  'llama.embedding_length': 8,
  'llama.feed_forward_length': 4,
  'llama.block_count': 1,
  'llama.attention.head_count': 2,
  'llama.context_length': 16,
  'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
} as const;

const tensor = (...shape: readonly number[]): GgufTestTensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7) % 11) / 11 - 0.4),
});

/** Its tensors. */
export const TINY_LLAMA_TENSORS: Readonly<Record<string, GgufTestTensor>> = {
  'token_embd.weight': tensor(5, 8),
  'output_norm.weight': tensor(8),
  'blk.0.attn_norm.weight': tensor(8),
  'blk.0.attn_q.weight': tensor(8, 8),
  'blk.0.attn_k.weight': tensor(8, 8),
  'blk.0.attn_v.weight': tensor(8, 8),
  'blk.0.attn_output.weight': tensor(8, 8),
  'blk.0.ffn_norm.weight': tensor(8),
  'blk.0.ffn_gate.weight': tensor(4, 8),
  'blk.0.ffn_up.weight': tensor(4, 8),
  'blk.0.ffn_down.weight': tensor(8, 4),
};
