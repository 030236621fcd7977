import type { GraphBuilder } from '../onnx/builder.ts';

/** One layer's attention over a key/value cache: values of the graph and sizes. */
export interface CachedAttention {
  /** [batch, sequence, queryHeads * headDimension] */
  readonly query: string;
  /** [batch, sequence, keyValueHeads * headDimension] */
  readonly key: string;
  readonly value: string;
  /** [batch, keyValueHeads, past, headDimension] */
  readonly pastKey: string;
  readonly pastValue: string;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly lengths: SequenceLengths;
  readonly rotary: RotaryTables;
}

/** What attention needs to know about the sequence, once per graph. */
export interface SequenceLengths {
  /** int32 [batch]: tokens of each sequence, the new ones included, minus one. */
  readonly lastPosition: string;
  /** int32 []: length of the attention mask. */
  readonly total: string;
  /** int64 [batch, sequence], made on demand. */
  positions(): string;
  /** bool [batch, 1, sequence, past + sequence]: which positions a new token may see; made on demand from an example of present keys. */
  visible(presentKey: string): string;
}

/** Cosine and sine [positions, headDimension / 2]. */
export interface RotaryTables {
  readonly cosine: string;
  readonly sine: string;
}

export interface AttentionOutputs {
  /** [batch, sequence, queryHeads * headDimension] */
  readonly context: string;
  readonly presentKey: string;
  readonly presentValue: string;
}

const MICROSOFT = { domain: 'com.microsoft' };

/**
 * Causal grouped-query attention with rotary position embedding. ONNX Runtime's GroupQueryAttention rotates by itself when the head
 * dimension is a multiple of 16, and works without rotation when it is a multiple of 8 (checked in its helper's CheckInputs, 1.30);
 * for other head dimensions the same is written in ordinary operators.
 */
export function cachedAttention(builder: GraphBuilder, inputs: CachedAttention): AttentionOutputs {
  if (inputs.headDimension % 16 === 0) return groupQueryAttention(builder, inputs, true);
  const rotated = { ...inputs, query: rotate(builder, inputs, inputs.query), key: rotate(builder, inputs, inputs.key) };
  return allowsFixedCache(inputs.headDimension) ? groupQueryAttention(builder, rotated, false) : ordinaryAttention(builder, rotated);
}

/** Whether `cachedAttention` is GroupQueryAttention for this head dimension, which can write past and present in one buffer of full length. */
export function allowsFixedCache(headDimension: number): boolean {
  return headDimension % 8 === 0;
}

function groupQueryAttention(builder: GraphBuilder, inputs: CachedAttention, rotates: boolean): AttentionOutputs {
  const { query, key, value, pastKey, pastValue, lengths, rotary } = inputs;
  const [context, presentKey, presentValue] = builder.addMany(
    'GroupQueryAttention',
    [query, key, value, pastKey, pastValue, lengths.lastPosition, lengths.total, ...(rotates ? [rotary.cosine, rotary.sine] : [])],
    3,
    { num_heads: inputs.queryHeads, kv_num_heads: inputs.keyValueHeads, do_rotary: rotates ? 1 : 0 },
    MICROSOFT,
  ) as [string, string, string];
  return { context, presentKey, presentValue };
}

/** Rotates [batch, sequence, heads * headDimension] by ONNX Runtime's own operator. */
function rotate(builder: GraphBuilder, { lengths, rotary }: CachedAttention, value: string): string {
  return builder.add('RotaryEmbedding', [value, lengths.positions(), rotary.cosine, rotary.sine], {}, MICROSOFT);
}

/** The r query heads of a group are stacked along the sequence, so that keys are not repeated. */
function ordinaryAttention(builder: GraphBuilder, inputs: CachedAttention): AttentionOutputs {
  const { keyValueHeads, headDimension, lengths } = inputs;
  const repeat = inputs.queryHeads / keyValueHeads;
  const like = (value: number) => builder.add('CastLike', [builder.constant([value]), inputs.query]);
  const heads = (value: string, count: number) =>
    builder.add('Transpose', [builder.add('Reshape', [value, builder.integers([0, 0, count, headDimension])])], { perm: [0, 2, 1, 3] });
  const presentKey = builder.add('Concat', [inputs.pastKey, heads(inputs.key, keyValueHeads)], { axis: 2 });
  const presentValue = builder.add('Concat', [inputs.pastValue, heads(inputs.value, keyValueHeads)], { axis: 2 });

  const queryHeads = builder.add('Mul', [heads(inputs.query, inputs.queryHeads), like(headDimension ** -0.5)]);
  const stacked = builder.add('Reshape', [queryHeads, builder.integers([0, keyValueHeads, -1, headDimension])]);
  const scores = builder.add('MatMul', [stacked, builder.add('Transpose', [presentKey], { perm: [0, 1, 3, 2] })]);
  // [batch, KV, r * sequence, total] -> [batch, KV * r, sequence, total], so that the mask broadcasts over heads.
  const shape = builder.add('Concat', [builder.integers([0, keyValueHeads * repeat, -1]), builder.add('Shape', [presentKey], { start: 2, end: 3 })], {
    axis: 0,
  });
  const perHead = builder.add('Reshape', [scores, shape]);
  const masked = builder.add('Where', [lengths.visible(presentKey), perHead, like(-1e9)]);
  const probabilities = builder.add('Reshape', [builder.add('Softmax', [masked], { axis: -1 }), builder.add('Shape', [scores])]);
  const context = builder.add('Reshape', [builder.add('MatMul', [probabilities, presentValue]), builder.add('Shape', [queryHeads])]);
  const merged = builder.add('Reshape', [builder.add('Transpose', [context], { perm: [0, 2, 1, 3] }), builder.integers([0, 0, -1])]);
  return { context: merged, presentKey, presentValue };
}

/** Adds the attention mask's consequences: sequence lengths for GroupQueryAttention, positions and visibility where they are asked for. */
export function sequenceLengths(builder: GraphBuilder, inputIds: string, attentionMask: string): SequenceLengths {
  const count = builder.add('ReduceSum', [attentionMask, builder.integers([1])], { keepdims: 1 });
  const last = builder.add('Sub', [count, builder.integers([1])]);
  const lastPosition = builder.add('Cast', [builder.add('Squeeze', [last, builder.integers([1])])], { to: 6 });
  const maskLength = builder.add('Gather', [builder.add('Shape', [attentionMask]), builder.constant([1], [], 'int64')], { axis: 0 });
  const total = builder.add('Cast', [maskLength], { to: 6 });
  const positions = once(() => {
    const sequence = builder.add('Gather', [builder.add('Shape', [inputIds]), builder.constant([1], [], 'int64')], { axis: 0 });
    const zero = builder.constant([0], [], 'int64');
    const offsets = builder.add('Range', [zero, sequence, builder.constant([1], [], 'int64')]);
    return builder.add('Max', [builder.add('Add', [builder.add('Sub', [count, sequence]), offsets]), zero]);
  });
  const visible = once((presentKey: string) => {
    const total = builder.add('Squeeze', [builder.add('Shape', [presentKey], { start: 2, end: 3 }), builder.integers([0])]);
    const keys = builder.add('Range', [builder.constant([0], [], 'int64'), total, builder.constant([1], [], 'int64')]);
    const queries = builder.add('Unsqueeze', [positions(), builder.integers([1, 3])]);
    return builder.add('LessOrEqual', [keys, queries]);
  });
  return { lastPosition, total, positions, visible };
}

function once<Arguments extends unknown[]>(make: (...values: Arguments) => string): (...values: Arguments) => string {
  let made: string | undefined;
  return (...values) => {
    made ??= make(...values);
    return made;
  };
}
