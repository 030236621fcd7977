import type { GraphBuilder } from '../onnx/builder.ts';
import type { ModelConfig, RecurrenceSizes } from './architecture.ts';
import type { BlockWeight } from './block-weights.ts';
import { shifted } from './convolution.ts';
import { gatedDeltaRule } from './gated-delta-rule.ts';
import { activate, normalise } from './pieces.ts';

/** Added to the squared length of queries and keys before they are divided by their length. */
export const LENGTH_EPSILON = 1e-6;

export interface DeltaNetInputs {
  /** int64 [2] holding batch and tokens. */
  readonly leading: string;
  /** The module's input times a weight of it, [rows, outputs]. */
  readonly project: (weight: BlockWeight) => string;
}

/**
 * A gated delta net (Yang et al., arXiv 2412.06464; as Qwen3.5 has it): queries, keys and values go through a short convolution of each channel and silu, queries and keys are brought to
 * length one, the gated delta rule makes a value of them, and each head of it is normalised and gated. Returns [rows, valueHeads * valueDimension].
 */
export function deltaNet(builder: GraphBuilder, config: ModelConfig, { leading, project }: DeltaNetInputs): string {
  const sizes = config.recurrence as RecurrenceSizes;
  const { keyHeads, valueHeads, keyDimension, valueDimension, kernel } = sizes;
  const withTokens = (value: string, ...tail: number[]) =>
    builder.add('Reshape', [value, builder.add('Concat', [leading, builder.integers(tail)], { axis: 0 })]);
  const headsFirst = (value: string) => builder.add('Transpose', [value], { perm: [0, 2, 1, 3] });
  const mixed = activate(
    builder,
    'silu',
    convolved(builder, withTokens(project('recurrence.input'), -1), leading, kernel),
  );
  const keyChannels = keyHeads * keyDimension;
  const [query = '', key = '', value = ''] = builder.addMany(
    'Split',
    [mixed, builder.integers([keyChannels, keyChannels, valueHeads * valueDimension])],
    3,
    { axis: 2 },
  );
  const unitHeads = (channels: string) =>
    repeated(builder, headsFirst(ofLengthOne(builder, withTokens(channels, keyHeads, keyDimension))), sizes);
  const perHead = (weight: BlockWeight) => headsFirst(withTokens(project(weight), valueHeads, 1));
  const rate = builder.add('Reshape', [
    builder.add('Neg', [builder.add('Exp', ['recurrence.rate'])]),
    builder.integers([valueHeads, 1, 1]),
  ]);
  const output = gatedDeltaRule(builder, {
    query: builder.add('Mul', [unitHeads(query), builder.constant([keyDimension ** -0.5])]),
    key: unitHeads(key),
    value: headsFirst(withTokens(value, valueHeads, valueDimension)),
    decay: builder.add('Mul', [rate, softplus(builder, perHead('recurrence.decay'), builder.constant([1]))]),
    write: builder.add('Sigmoid', [perHead('recurrence.write')]),
    keyDimension,
    valueDimension,
  });
  const rows = builder.add('Reshape', [headsFirst(output), builder.integers([-1, valueDimension])]);
  const normed = normalise(builder, rows, 'recurrence.scale', undefined, config.normEpsilon, 'rms');
  const gate = activate(builder, 'silu', project('recurrence.gate'));
  return builder.add('Mul', [builder.add('Reshape', [normed, builder.add('Shape', [gate])]), gate]);
}

/** Each channel of [batch, tokens, channels] by its own kernel, over itself and the tokens just before. */
function convolved(builder: GraphBuilder, sequence: string, leading: string, taps: number): string {
  const batch = builder.add('Slice', [leading, builder.integers([0]), builder.integers([1])]);
  const channels = builder.add('Shape', [sequence], { start: 2, end: 3 });
  const zeros = builder.add('Expand', [
    builder.constant([0]),
    builder.add('Concat', [batch, builder.integers([taps - 1]), channels], { axis: 0 }),
  ]);
  const padded = taps === 1 ? sequence : builder.add('Concat', [zeros, sequence], { axis: 1 });
  return builder
    .addMany('Split', ['recurrence.kernel', builder.integers(Array(taps).fill(1))], taps, { axis: 2 })
    .map((column, tap) => {
      const factor = builder.add('Reshape', [column, builder.integers([-1])]);
      return builder.add('Mul', [shifted(builder, padded, tap, taps), factor]);
    })
    .reduce((left, right) => builder.add('Add', [left, right]));
}

/** The last axis divided by its length. */
function ofLengthOne(builder: GraphBuilder, value: string): string {
  const squares = builder.add('ReduceSum', [builder.add('Mul', [value, value]), builder.integers([-1])], {
    keepdims: 1,
  });
  const length = builder.add('Sqrt', [builder.add('Add', [squares, builder.constant([LENGTH_EPSILON])])]);
  return builder.add('Mul', [value, builder.add('Reciprocal', [length])]);
}

/** Heads of queries or keys [batch, keyHeads, tokens, keyDimension] as often as value heads share them: [batch, valueHeads, tokens, keyDimension]. */
function repeated(
  builder: GraphBuilder,
  value: string,
  { keyHeads, valueHeads, keyDimension }: RecurrenceSizes,
): string {
  const times = valueHeads / keyHeads;
  if (times === 1) return value;
  const batch = builder.add('Shape', [value], { start: 0, end: 1 });
  const tokens = builder.add('Shape', [value], { start: 2, end: 3 });
  const sizes = (...parts: (string | number)[]) =>
    builder.add(
      'Concat',
      parts.map((part) => (typeof part === 'number' ? builder.integers([part]) : part)),
      { axis: 0 },
    );
  const copies = builder.add('Expand', [
    builder.add('Unsqueeze', [value, builder.integers([2])]),
    sizes(batch, keyHeads, times, tokens, keyDimension),
  ]);
  return builder.add('Reshape', [copies, sizes(batch, valueHeads, tokens, keyDimension)]);
}

/** log(1 + exp(x)), of numbers of any size; `one` in the value's own type. */
export function softplus(builder: GraphBuilder, value: string, one: string): string {
  const small = builder.add('Exp', [builder.add('Neg', [builder.add('Abs', [value])])]);
  const rest = builder.add('Log', [builder.add('Add', [small, one])]);
  return builder.add('Add', [builder.add('Relu', [value]), rest]);
}
