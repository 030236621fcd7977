import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { type BlockTensors, type BlockWeight, biasOf } from './block-weights.ts';
import type { ConfigFields } from './config-fields.ts';

const ATTENTION = ['attention.query', 'attention.key', 'attention.value', 'attention.gate'] as const;
const MLP = ['mlp.gate', 'mlp.up'] as const;

/** Biases of a block beside those that compensation may add, and which of all the checkpoint must have. */
export interface Biases {
  readonly tensors: BlockTensors;
  readonly required: readonly BlockWeight[];
}

/**
 * Biases are computed where the config asks for them (`attention_bias`, `mlp_bias`; then they must be there), and wherever the checkpoint has them: converters
 * write them without a word in config.json. A layer that lacks one that others have gets zeros. `always` are those that the architecture has by itself.
 */
export function readBiases(
  checkpoint: Checkpoint,
  fields: ConfigFields,
  tensors: BlockTensors,
  always: readonly BlockWeight[] = [],
): Biases {
  const required = new Set<BlockWeight>(always);
  if (fields.boolean('attention_bias', false) && always.length === 0)
    for (const weight of [...ATTENTION, 'attention.output'] as const) required.add(biasOf(weight));
  if (fields.boolean('mlp_bias', false))
    for (const weight of [...MLP, 'mlp.down'] as const) required.add(biasOf(weight));
  const stored = new Set([...checkpoint.tensors.keys()].map((name) => name.replace(/^model\.layers\.\d+\./, '')));
  const found = [...ATTENTION, ...MLP].flatMap((weight): [BlockWeight, string][] => {
    const name = tensors[weight]?.replace(/\.weight$/, '.bias');
    return name !== undefined && (required.has(biasOf(weight)) || stored.has(name)) ? [[biasOf(weight), name]] : [];
  });
  return { tensors: { ...tensors, ...Object.fromEntries(found) }, required: [...required] };
}
