import { float, type GraphBuilder } from '../onnx/builder.ts';
import type { Activation, DecoderDesign, ModelConfig } from './architecture.ts';
import { windowedValue } from './convolution.ts';

/** y [rows, out] = x [rows, in] W^T (+ bias), W [out, in] as checkpoints store it. */
export function linear(builder: GraphBuilder, input: string, weight: string, bias?: string): string {
  return builder.add('Gemm', bias === undefined ? [input, weight] : [input, weight, bias], { transB: 1 });
}

/** Root mean square normalisation over the last axis times `weight` (Zhang and Sennrich 2019), by ONNX Runtime's own operator. */
function rmsNorm(builder: GraphBuilder, input: string, weight: string, epsilon: number): string {
  return builder.add('SimplifiedLayerNormalization', [input, weight], {
    axis: -1,
    epsilon: float(epsilon),
    stash_type: 1,
  });
}

/** Layer normalisation over the last axis (Ba et al. 2016), or root mean square where the architecture has that. */
export function normalise(
  builder: GraphBuilder,
  input: string,
  weight: string,
  bias: string | undefined,
  epsilon: number,
  kind: DecoderDesign['norm'],
): string {
  if (kind === 'rms') return rmsNorm(builder, input, weight, epsilon);
  const inputs = bias === undefined ? [input, weight] : [input, weight, bias];
  return builder.add('LayerNormalization', inputs, { axis: -1, epsilon: float(epsilon), stash_type: 1 });
}

/** c tanh(x / c): about x where it is small, never beyond c (Bello et al., arXiv 1611.09940). */
export function softCap(builder: GraphBuilder, input: string, cap: number | undefined): string {
  if (cap === undefined) return input;
  const bent = builder.add('Tanh', [builder.add('Mul', [input, builder.constant([1 / cap])])]);
  return builder.add('Mul', [bent, builder.constant([cap])]);
}

/** What turns a value: tables, and how its channels turn. */
interface Rotation {
  readonly cosine: string;
  readonly sine: string;
  readonly half: number;
  /** Channels after the first 2 half, which are not turned. */
  readonly rest: number;
  readonly kind: DecoderDesign['rotation'];
}

/**
 * Rotary position embedding of the first channels of the last axis; cosine and sine [tokens, half] broadcast over x [..., tokens, 2 half + rest] of so many axes.
 * Channels i and i + half turn together, or 2i and 2i + 1: these are put in the other order first and stay so, which products of queries and keys do not see.
 */
function rotary(builder: GraphBuilder, input: string, rotation: Rotation, axes: number): string {
  const { cosine, sine, half, rest, kind } = rotation;
  const sizes = builder.integers(rest > 0 ? [half, half, rest] : [half, half]);
  const ordered = kind === 'halves' ? input : pairsToHalves(builder, input, half, rest, axes);
  const [first = '', second = '', unturned] = builder.addMany('Split', [ordered, sizes], rest > 0 ? 3 : 2, {
    axis: -1,
  });
  const left = builder.add('Sub', [builder.add('Mul', [first, cosine]), builder.add('Mul', [second, sine])]);
  const right = builder.add('Add', [builder.add('Mul', [second, cosine]), builder.add('Mul', [first, sine])]);
  return builder.add('Concat', unturned === undefined ? [left, right] : [left, right, unturned], { axis: -1 });
}

function pairsToHalves(builder: GraphBuilder, input: string, half: number, rest: number, axes: number): string {
  const [turning = input, unturned] =
    rest > 0 ? builder.addMany('Split', [input, builder.integers([2 * half, rest])], 2, { axis: -1 }) : [];
  const leading = Array.from({ length: axes - 1 }, () => 0);
  const pairs = builder.add('Reshape', [turning, builder.integers([...leading, half, 2])]);
  const perm = [...leading.keys(), axes, axes - 1];
  const halves = builder.add('Reshape', [
    builder.add('Transpose', [pairs], { perm }),
    builder.integers([...leading, 2 * half]),
  ]);
  return unturned === undefined ? halves : builder.add('Concat', [halves, unturned], { axis: -1 });
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
  /** Weight [query heads]: a score beside those of the tokens, which takes its share and gives nothing. */
  readonly sinks: string | undefined;
  readonly design: DecoderDesign;
}

/**
 * Grouped-query causal attention without expanding keys: the r query heads of a group are stacked along the token axis, so that every
 * product is one batched MatMul and the gradient of a shared key is summed inside it. Returns the context [rows, keyValueHeads * r * D].
 */
export function attention(builder: GraphBuilder, config: ModelConfig, inputs: AttentionInputs): string {
  const { headDimension } = config;
  const { cosine, sine, design } = inputs;
  const half = config.ropeInverseFrequencies.length;
  const rotation = { cosine, sine, half, rest: headDimension - 2 * half, kind: design.rotation };
  const repeat = config.queryHeads / config.keyValueHeads;
  const split = (value: string, tail: readonly number[]) =>
    builder.add('Reshape', [value, builder.add('Concat', [inputs.leading, builder.integers(tail)], { axis: 0 })]);
  const normed = (value: string, weight: string | undefined) =>
    weight === undefined ? value : rmsNorm(builder, value, weight, config.normEpsilon);

  /** With the norm of its heads before or after. */
  const turned = (value: string, perm: readonly number[], weight: string | undefined) => {
    const [before, after] = design.normAfterRotation ? [undefined, weight] : [weight, undefined];
    const inOrder = builder.add('Transpose', [normed(value, before)], { perm: [...perm] });
    return normed(rotary(builder, inOrder, rotation, perm.length), after);
  };

  const queryHeads = split(inputs.query, [-1, repeat, headDimension]);
  const rotatedQuery = turned(queryHeads, [0, 2, 3, 1, 4], inputs.queryNorm);
  const scaledQuery = builder.add('Mul', [rotatedQuery, builder.constant([design.attentionScale])]);
  const stackedQuery = builder.add('Reshape', [scaledQuery, builder.integers([0, 0, -1, headDimension])]);

  const rotatedKey = turned(split(inputs.key, [-1, headDimension]), [0, 2, 1, 3], inputs.keyNorm);
  const transposedKey = builder.add('Transpose', [rotatedKey], { perm: [0, 1, 3, 2] });
  const valueHeads = builder.add('Transpose', [split(inputs.value, [-1, headDimension])], { perm: [0, 2, 1, 3] });

  const products = softCap(builder, builder.add('MatMul', [stackedQuery, transposedKey]), design.attentionCap);
  const scores = builder.add('Reshape', [products, builder.integers([0, 0, repeat, 0, -1])]);
  const masked = builder.add('Add', [scores, inputs.mask]);
  const probabilities =
    inputs.sinks === undefined
      ? builder.add('Softmax', [masked], { axis: -1 })
      : withSinks(builder, masked, inputs.sinks, inputs.leading, repeat);
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

/** Softmax of scores [batch, heads, r, tokens, tokens] and a sink for each query head, without the sinks' own part. */
function withSinks(builder: GraphBuilder, scores: string, sinks: string, leading: string, repeat: number): string {
  const batch = builder.add('Slice', [leading, builder.integers([0]), builder.integers([1])]);
  const heads = builder.add('Shape', [sinks]);
  const windows = builder.add(
    'Expand',
    [sinks, builder.add('Concat', [batch, heads], { axis: 0 })],
    {},
    { name: windowedValue(sinks) },
  );
  const perHead = builder.add('Reshape', [windows, builder.integers([0, -1, repeat, 1, 1])]);
  const shape = builder.add('Concat', [builder.add('Shape', [scores], { start: 0, end: 4 }), builder.integers([1])], {
    axis: 0,
  });
  const all = builder.add('Concat', [scores, builder.add('Expand', [perHead, shape])], { axis: -1 });
  return builder.add('Slice', [
    builder.add('Softmax', [all], { axis: -1 }),
    builder.integers([0]),
    builder.integers([-1]),
    builder.integers([-1]),
  ]);
}

/** An activation function, element by element. */
export function activate(builder: GraphBuilder, activation: Activation, input: string): string {
  if (activation === 'silu') return builder.add('Mul', [input, builder.add('Sigmoid', [input])]);
  if (activation === 'relu') return builder.add('Relu', [input]);
  return builder.add('Gelu', [input], { approximate: activation === 'gelu-tanh' ? 'tanh' : 'none' });
}
