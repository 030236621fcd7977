import { float, type GraphBuilder } from '../onnx/builder.ts';
import type { Activation, ModelConfig } from './architecture.ts';

/** y [rows, out] = x [rows, in] W^T (+ bias), W [out, in] as checkpoints store it. */
export function linear(builder: GraphBuilder, input: string, weight: string, bias?: string): string {
  return builder.add('Gemm', bias === undefined ? [input, weight] : [input, weight, bias], { transB: 1 });
}

/** Root mean square normalisation over the last axis times `weight` (Zhang and Sennrich 2019), by ONNX Runtime's own operator. */
export function rmsNorm(builder: GraphBuilder, input: string, weight: string, epsilon: number): string {
  return builder.add('SimplifiedLayerNormalization', [input, weight], {
    axis: -1,
    epsilon: float(epsilon),
    stash_type: 1,
  });
}

/** Rotary position embedding of the first channels of the last axis in the half-split form; cosine and sine [tokens, half] broadcast over x [..., tokens, 2 half + rest]. */
function rotary(
  builder: GraphBuilder,
  input: string,
  cosine: string,
  sine: string,
  half: number,
  rest: number,
): string {
  const sizes = builder.integers(rest > 0 ? [half, half, rest] : [half, half]);
  const [first = '', second = '', unturned] = builder.addMany('Split', [input, sizes], rest > 0 ? 3 : 2, { axis: -1 });
  const left = builder.add('Sub', [builder.add('Mul', [first, cosine]), builder.add('Mul', [second, sine])]);
  const right = builder.add('Add', [builder.add('Mul', [second, cosine]), builder.add('Mul', [first, sine])]);
  return builder.add('Concat', unturned === undefined ? [left, right] : [left, right, unturned], { axis: -1 });
}

/** What an attention layer reads: rows [rows, hiddenSize], the leading [batch, tokens] sizes, tables, and its projected q, k, v. */
export interface AttentionInputs {
  /** [rows, keyValueHeads * r * D] with r consecutive query heads per key/value head. */
  readonly query: string;
  /** [rows, keyValueHeads * D] */
  readonly key: string;
  readonly value: string;
  /** int64 [2] holding batch and tokens. */
  readonly leading: string;
  readonly cosine: string;
  readonly sine: string;
  readonly mask: string;
  /** Weights [D] of the q/k norms, where the architecture has them. */
  readonly queryNorm: string | undefined;
  readonly keyNorm: string | undefined;
  /** Factor on the products of queries and keys. */
  readonly scale: number;
}

/**
 * Grouped-query causal attention without expanding keys: the r query heads of a group are stacked along the token axis, so that every
 * product is one batched MatMul and the gradient of a shared key is summed inside it. Returns the context [rows, keyValueHeads * r * D].
 */
export function attention(builder: GraphBuilder, config: ModelConfig, inputs: AttentionInputs): string {
  const headDimension = config.headDimension;
  const half = config.ropeInverseFrequencies.length;
  const turned = (value: string) => rotary(builder, value, inputs.cosine, inputs.sine, half, headDimension - 2 * half);
  const repeat = config.queryHeads / config.keyValueHeads;
  const split = (value: string, tail: readonly number[]) =>
    builder.add('Reshape', [value, builder.add('Concat', [inputs.leading, builder.integers(tail)], { axis: 0 })]);
  const normed = (value: string, weight: string | undefined) =>
    weight === undefined ? value : rmsNorm(builder, value, weight, config.normEpsilon);

  const queryHeads = normed(split(inputs.query, [-1, repeat, headDimension]), inputs.queryNorm);
  const rotatedQuery = turned(builder.add('Transpose', [queryHeads], { perm: [0, 2, 3, 1, 4] }));
  const scaledQuery = builder.add('Mul', [rotatedQuery, builder.constant([inputs.scale])]);
  const stackedQuery = builder.add('Reshape', [scaledQuery, builder.integers([0, 0, -1, headDimension])]);

  const keyHeads = normed(split(inputs.key, [-1, headDimension]), inputs.keyNorm);
  const rotatedKey = turned(builder.add('Transpose', [keyHeads], { perm: [0, 2, 1, 3] }));
  const transposedKey = builder.add('Transpose', [rotatedKey], { perm: [0, 1, 3, 2] });
  const valueHeads = builder.add('Transpose', [split(inputs.value, [-1, headDimension])], { perm: [0, 2, 1, 3] });

  const scores = builder.add('Reshape', [
    builder.add('MatMul', [stackedQuery, transposedKey]),
    builder.integers([0, 0, repeat, 0, -1]),
  ]);
  const probabilities = builder.add('Softmax', [builder.add('Add', [scores, inputs.mask])], { axis: -1 });
  const stackedProbabilities = builder.add('Reshape', [probabilities, builder.integers([0, 0, -1, 0])]);
  const context = builder.add('Reshape', [
    builder.add('MatMul', [stackedProbabilities, valueHeads]),
    builder.integers([0, 0, repeat, -1, headDimension]),
  ]);
  return builder.add('Reshape', [
    builder.add('Transpose', [context], { perm: [0, 3, 1, 2, 4] }),
    builder.add('Shape', [inputs.query]),
  ]);
}

/** An activation function, element by element. */
export function activate(builder: GraphBuilder, activation: Activation, input: string): string {
  if (activation === 'silu') return builder.add('Mul', [input, builder.add('Sigmoid', [input])]);
  return builder.add('Gelu', [input], { approximate: activation === 'gelu-tanh' ? 'tanh' : 'none' });
}
