type Raw = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A config whose rotary embedding no longer depends on `max_position_embeddings`, so that this may be changed: LongRoPE's factor, and the
 * original length where none is stated, otherwise follow from it.
 */
export function withStatedRopeFactor(config: Raw): Raw {
  const key = isRecord(config.rope_scaling) ? 'rope_scaling' : 'rope_parameters';
  const rope = config[key];
  const longest = config.max_position_embeddings;
  if (!isRecord(rope) || typeof longest !== 'number') return config;
  const kind = rope.rope_type ?? rope.type;
  if (kind !== 'longrope' && kind !== 'su' && kind !== 'llama3' && kind !== 'yarn') return config;
  const original = config.original_max_position_embeddings ?? rope.original_max_position_embeddings ?? longest;
  const factor =
    kind === 'llama3' || kind === 'yarn' || typeof original !== 'number'
      ? rope.factor
      : (rope.factor ?? longest / original);
  return { ...config, [key]: { ...rope, factor, original_max_position_embeddings: original } };
}
