import { UnsupportedError } from '../errors.ts';
import { float, type GraphBuilder } from '../onnx/builder.ts';
import type { SequenceLengths } from './sequence-lengths.ts';

/** Projections of one layer: queries [batch, sequence, queryHeads * headDimension], keys and values [batch, sequence, keyValueHeads * headDimension]. */
interface SeparateProjections {
  readonly query: string;
  readonly key: string;
  readonly value: string;
}

/** The same side by side along the last axis, where `rotatesInside` allows it. */
interface PackedProjections {
  readonly packed: string;
}

/** One layer's attention over a key/value cache: values of the graph and sizes. */
export interface CachedAttention {
  readonly projections: SeparateProjections | PackedProjections;
  /** [batch, keyValueHeads, past, headDimension] */
  readonly pastKey: string;
  readonly pastValue: string;
  /** Names for the same with the new positions. */
  readonly presentKey: string;
  readonly presentValue: string;
  readonly queryHeads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  /** Factor on the products of queries and keys. */
  readonly scale: number;
  /** Positions that a query sees, itself and those just before; undefined: all. */
  readonly window: number | undefined;
  /** c in c tanh(z / c) of the products of queries and keys. */
  readonly cap: number | undefined;
  /** [query heads]: a score beside those of the tokens, which takes its share and gives nothing. Only where attention is GroupQueryAttention. */
  readonly sinks: string | undefined;
  readonly lengths: SequenceLengths;
  /** Undefined where a layer does not turn its queries and keys. */
  readonly rotary: RotaryTables | undefined;
  /** What is done with queries and keys after they were turned; turning inside attention is no choice then. */
  readonly afterRotation?: ((value: string, part: 'query' | 'key') => string) | undefined;
}

/** Cosine and sine [positions, half] of the first 2 * half channels of a head; the others are not turned. */
export interface RotaryTables {
  readonly cosine: string;
  readonly sine: string;
  readonly half: number;
  /** Whether channels 2i and 2i + 1 turn together, not i and i + half. */
  readonly inPairs: boolean;
}

const MICROSOFT = { domain: 'com.microsoft' };

/**
 * Causal grouped-query attention with rotary position embedding. ONNX Runtime's GroupQueryAttention rotates by itself when the head
 * dimension is a multiple of 16 and the tables' width one of 8, and works without rotation when the head dimension is a multiple of 8
 * (1.30 refuses others); for other head dimensions the same is written in ordinary operators.
 */
export function cachedAttention(builder: GraphBuilder, inputs: CachedAttention): string {
  const { projections, rotary, afterRotation } = inputs;
  if ('packed' in projections) return groupQueryAttention(builder, inputs, [projections.packed, '', ''], true);
  const { query, key, value } = projections;
  if (rotatesInside(inputs.headDimension, rotary) && !afterRotation)
    return groupQueryAttention(builder, inputs, [query, key, value], true);
  const turn = (projected: string, part: 'query' | 'key', heads: number) => {
    const turned = rotary ? rotated(builder, inputs, rotary, projected, heads) : projected;
    return afterRotation ? afterRotation(turned, part) : turned;
  };
  const turned = {
    query: turn(query, 'query', inputs.queryHeads),
    key: turn(key, 'key', inputs.keyValueHeads),
    value,
  };
  if (inputs.sinks !== undefined && !allowsFixedCache(inputs.headDimension))
    throw new UnsupportedError(
      `Attention with sinks is exported for heads of a multiple of 8 channels; those of this model have ${inputs.headDimension}.`,
    );
  return allowsFixedCache(inputs.headDimension)
    ? groupQueryAttention(builder, inputs, [turned.query, turned.key, turned.value], false)
    : ordinaryAttention(builder, inputs, turned);
}

/**
 * Whether query, key and value may come as one projection: one product instead of three, which decodes 5% faster on the CPU (stories, q8) and
 * saves two dispatches a layer on WebGPU.
 */
export function rotatesInside(headDimension: number, rotary: { readonly half: number } | undefined): boolean {
  return rotary !== undefined && headDimension % 16 === 0 && rotary.half % 8 === 0;
}

/** Whether `cachedAttention` is GroupQueryAttention for this head dimension, which can write past and present in one buffer of full length. */
export function allowsFixedCache(headDimension: number): boolean {
  return headDimension % 8 === 0;
}

function groupQueryAttention(
  builder: GraphBuilder,
  inputs: CachedAttention,
  projected: readonly string[],
  rotates: boolean,
): string {
  const { pastKey, pastValue, lengths, rotary, scale, window } = inputs;
  const turns = rotates && rotary !== undefined;
  const isUsualScale = Math.abs(scale * Math.sqrt(inputs.headDimension) - 1) < 1e-9;
  const context = builder.unique('context');
  const integer = (value: number) => ({ kind: 'int' as const, value });
  builder.append({
    name: `node/${context}`,
    operator: 'GroupQueryAttention',
    domain: 'com.microsoft',
    inputs: [
      ...projected,
      pastKey,
      pastValue,
      lengths.lastPosition,
      lengths.total,
      ...(turns ? [rotary.cosine, rotary.sine] : inputs.sinks === undefined ? [] : ['', '']),
      // Positions and a bias of attention come before.
      ...(inputs.sinks === undefined ? [] : ['', '', inputs.sinks]),
    ],
    outputs: [context, inputs.presentKey, inputs.presentValue],
    attributes: {
      num_heads: integer(inputs.queryHeads),
      kv_num_heads: integer(inputs.keyValueHeads),
      do_rotary: integer(turns ? 1 : 0),
      ...(turns && rotary.inPairs ? { rotary_interleaved: integer(1) } : {}),
      ...(inputs.cap === undefined ? {} : { softcap: float(inputs.cap) }),
      ...(isUsualScale ? {} : { scale: float(scale) }),
      ...(window === undefined ? {} : { local_window_size: integer(window) }),
    },
  });
  return context;
}

/** Rotates [batch, sequence, heads * headDimension] by ONNX Runtime's own operator. */
function rotated(
  builder: GraphBuilder,
  { lengths, headDimension }: CachedAttention,
  rotary: RotaryTables,
  value: string,
  heads: number,
): string {
  const isPartial = 2 * rotary.half < headDimension;
  const attributes: Record<string, number> = {
    ...(isPartial && { num_heads: heads, rotary_embedding_dim: 2 * rotary.half }),
    ...(rotary.inPairs && { interleaved: 1 }),
  };
  return builder.add(
    'RotaryEmbedding',
    [value, lengths.positions(), rotary.cosine, rotary.sine],
    attributes,
    MICROSOFT,
  );
}

/** The r query heads of a group are stacked along the sequence, so that keys are not repeated. */
function ordinaryAttention(
  builder: GraphBuilder,
  inputs: CachedAttention,
  { query, key, value }: SeparateProjections,
): string {
  const { keyValueHeads, headDimension, lengths } = inputs;
  const like = (number: number) => builder.add('CastLike', [builder.constant([number]), query]);
  const heads = (projected: string, count: number) =>
    builder.add('Transpose', [builder.add('Reshape', [projected, builder.integers([0, 0, count, headDimension])])], {
      perm: [0, 2, 1, 3],
    });
  const presentKey = builder.add(
    'Concat',
    [inputs.pastKey, heads(key, keyValueHeads)],
    { axis: 2 },
    { name: inputs.presentKey },
  );
  const presentValue = builder.add(
    'Concat',
    [inputs.pastValue, heads(value, keyValueHeads)],
    { axis: 2 },
    { name: inputs.presentValue },
  );

  const queryHeads = builder.add('Mul', [heads(query, inputs.queryHeads), like(inputs.scale)]);
  const stacked = builder.add('Reshape', [queryHeads, builder.integers([0, keyValueHeads, -1, headDimension])]);
  const products = builder.add('MatMul', [stacked, builder.add('Transpose', [presentKey], { perm: [0, 1, 3, 2] })]);
  const capped = (cap: number) =>
    builder.add('Mul', [builder.add('Tanh', [builder.add('Mul', [products, like(1 / cap)])]), like(cap)]);
  const scores = inputs.cap === undefined ? products : capped(inputs.cap);
  // [batch, KV, r * sequence, total] -> [batch, KV * r, sequence, total], so that the mask broadcasts over heads.
  const shape = builder.add(
    'Concat',
    [builder.integers([0, inputs.queryHeads, -1]), builder.add('Shape', [presentKey], { start: 2, end: 3 })],
    { axis: 0 },
  );
  const perHead = builder.add('Reshape', [scores, shape]);
  const masked = builder.add('Where', [lengths.visible(presentKey, inputs.window), perHead, like(-1e9)]);
  const probabilities = builder.add('Reshape', [
    builder.add('Softmax', [masked], { axis: -1 }),
    builder.add('Shape', [scores]),
  ]);
  const context = builder.add('Reshape', [
    builder.add('MatMul', [probabilities, presentValue]),
    builder.add('Shape', [queryHeads]),
  ]);
  return builder.add('Reshape', [
    builder.add('Transpose', [context], { perm: [0, 2, 1, 3] }),
    builder.integers([0, 0, -1]),
  ]);
}
