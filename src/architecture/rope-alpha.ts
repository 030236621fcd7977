import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { ConfigFields } from './config-fields.ts';

type Raw = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A checkpoint whose rotary base is stretched as its `alpha` says (NTK-aware scaling with a fixed factor), and whose config states no `alpha` any more: with it the
 * kind "dynamic" means that, and does not depend on the length. base' = base alpha^(d / (d - 2)), d the head dimension.
 * Throws FileFormatError for values that are no numbers.
 */
export function withStretchedBase(checkpoint: Checkpoint): Checkpoint {
  const { config } = checkpoint;
  const key = isRecord(config.rope_scaling) && config.rope_scaling.alpha ? 'rope_scaling' : 'rope_parameters';
  const rope = config[key];
  if (!isRecord(rope) || !rope.alpha) return checkpoint;
  const { alpha: _, ...rest } = rope;
  const [fields, whole] = [new ConfigFields(rope, key), new ConfigFields(config)];
  const headDimension = whole.has('head_dim')
    ? whole.integer('head_dim', 1 << 12, undefined, 4)
    : whole.integer('hidden_size', 1 << 20) / whole.integer('num_attention_heads', 1 << 20);
  const base = (fields.has('rope_theta') ? fields : whole).positive('rope_theta', 10_000);
  const stretched = base * fields.positive('alpha') ** (headDimension / (headDimension - 2));
  const { rope_theta: __, ...others } = config;
  return { ...checkpoint, config: { ...others, [key]: { ...rest, rope_theta: stretched } } };
}
