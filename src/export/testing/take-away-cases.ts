import { type FixtureName, openFixture } from '../../architecture/testing/fixture.ts';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { LayerGroups } from '../../importance/structures/structures.ts';
import { OpenModel } from '../../library/open-model.ts';
import type { LayerPlan } from '../../plan/plan.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { slicedCheckpoint } from '../../surgery/slice.ts';

/** Families whose tiny models are taken away, without windows where the program that opens them has none. */
export const FAMILIES = ['llama', 'llama-biases', 'mistral', 'qwen2', 'qwen3', 'gemma3', 'phi3'] as const;
export const SHAPES = ['dense', 'uniform', 'depth', 'free'] as const;
export type TakeAwayShape = (typeof SHAPES)[number];

/** Settings in which a fixture differs from what the other programs compute for the family. */
const CHANGES: Readonly<Partial<Record<FixtureName, Readonly<Record<string, unknown>>>>> = {
  // The one rule that published models have.
  llama: {
    rope_scaling: {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    },
    rope_theta: 500_000,
  },
  mistral: { sliding_window: null },
  qwen2: { use_sliding_window: false, sliding_window: null },
  phi3: { sliding_window: null },
  // llama.cpp: every sixth layer is global, and attention is scaled by the head dimension.
  gemma3: {
    query_pre_attn_scalar: 16,
    sliding_window: 4,
    sliding_window_pattern: 6,
    rope_scaling: null,
    rope_local_base_freq: 10_000,
  },
};

/** A tokenizer of single characters, one for each row of the embedding. */
function tokenizerOf(vocabulary: number): Uint8Array {
  const vocab = Object.fromEntries(
    Array.from({ length: vocabulary }, (_, id) => [String.fromCodePoint(0x21 + id), id]),
  );
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return new TextEncoder().encode(
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: byteLevel,
      post_processor: null,
      decoder: byteLevel,
      model: { type: 'BPE', vocab, merges: [], byte_fallback: false },
    }),
  );
}

/** A tiny model of the family in the shape. Dispose it after use. */
export async function takeAwayCase(
  runtime: Runtime,
  family: (typeof FAMILIES)[number],
  shape: TakeAwayShape,
): Promise<OpenModel> {
  const { checkpoint } = await openFixture(family);
  const config = { ...checkpoint.config, ...CHANGES[family] };
  const whole: Checkpoint = {
    ...checkpoint,
    config,
    // llama.cpp looks for Phi-3's special tokens where it reads that name.
    provenance: { ...checkpoint.provenance, name: `tiny-${family.replace('phi3', 'phi')}-${shape}` },
    file: async (name) =>
      name === 'tokenizer.json' ? tokenizerOf(config.vocab_size as number) : checkpoint.file(name),
  };
  using open = new OpenModel(runtime, whole);
  const plan = planOf(shape, open.layerGroups());
  return new OpenModel(runtime, slicedCheckpoint(whole, plan, open.structuresOf));
}

function planOf(shape: TakeAwayShape, groups: readonly LayerGroups[]): LayerPlan[] {
  const kept = (count: number, keep: (group: number) => boolean = () => true) =>
    Array.from({ length: count }, (_, group) => group).filter(keep);
  return groups.map(({ attention, mlp }, layer) => {
    if (shape === 'dense') return { attention: kept(attention.groups), mlp: kept(mlp.groups) };
    if (shape === 'uniform')
      return { attention: kept(attention.groups), mlp: kept(mlp.groups, (neuron) => neuron % 3 !== 0) };
    if (layer === 0 && shape === 'depth') return { attention: [], mlp: [] };
    if (layer === 0) return { attention: [1], mlp: kept(mlp.groups, (neuron) => neuron % 4 !== 1) };
    return {
      attention: kept(attention.groups),
      mlp: kept(mlp.groups, (neuron) => shape === 'depth' || neuron % 2 === 0),
    };
  });
}
