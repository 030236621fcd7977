import type { ModelConfig, RecurrenceSizes } from '../architecture/architecture.ts';
import { mixedChannels } from '../architecture/block-weights.ts';
import { LENGTH_EPSILON, softplus } from '../architecture/delta-net.ts';
import { float, type GraphBuilder } from '../onnx/builder.ts';
import type { Attribute, Node } from '../onnx/graph.ts';
import type { ConvolutionState } from './convolution.ts';
import type { WeightNames } from './weight-names.ts';
import type { WeightedOperators } from './weighted-operators.ts';

const text = (value: string): Attribute => ({ kind: 'string', value });
const whole = (value: number): Attribute => ({ kind: 'int', value });
const MICROSOFT = { domain: 'com.microsoft' };

/** The caches of all layers with a recurrence: the last inputs of the convolution, and the states of the value heads. */
export function recurrenceStates({ layerWidths, recurrence }: ModelConfig): ConvolutionState[] {
  return layerWidths.flatMap(({ recurrent = false }, layer) => {
    if (!recurrent || !recurrence) return [];
    const { valueHeads, keyDimension, valueDimension, kernel } = recurrence;
    const state = (name: string, shape: readonly number[]) => ({
      input: `past_${name}.${layer}`,
      output: `present_${name}.${layer}`,
      shape: ['batch_size', ...shape],
    });
    return [
      state('conv', [mixedChannels(recurrence), kernel - 1]),
      state('recurrent', [valueHeads, keyDimension, valueDimension]),
    ];
  });
}

export interface CachedDeltaNet {
  /** [batch, sequence, hiddenSize] */
  readonly value: string;
  readonly layer: number;
  readonly sizes: RecurrenceSizes;
  readonly roles: WeightNames;
}

/**
 * A gated delta net over present tokens, from the states before them, by ONNX Runtime's own operators for both of its caches: they take one token or many.
 * Returns [batch, sequence, valueHeads * valueDimension].
 */
export function cachedDeltaNet(builder: GraphBuilder, operators: WeightedOperators, net: CachedDeltaNet): string {
  const { value, layer, sizes, roles } = net;
  const { keyHeads, valueHeads, keyDimension, valueDimension } = sizes;
  const swapped = (source: string) => builder.add('Transpose', [source], { perm: [0, 2, 1] });
  const convolved = withState(
    builder,
    'CausalConvWithState',
    [
      swapped(operators.linear(value, roles.get('recurrence.input'))),
      operators.tensor(roles.get('recurrence.kernel')),
      '',
      `past_conv.${layer}`,
    ],
    `present_conv.${layer}`,
    { activation: text('silu') },
  );
  const channels = keyHeads * keyDimension;
  const [query = '', key = '', values = ''] = builder.addMany(
    'Split',
    [swapped(convolved), builder.integers([channels, channels, valueHeads * valueDimension])],
    3,
    { axis: 2 },
  );
  const inHeads = (source: string, size: number) => builder.add('Reshape', [source, builder.integers([0, -1, size])]);
  const unitHeads = (source: string) =>
    builder.add('Reshape', [
      operators.ofLengthOne(inHeads(source, keyDimension), keyDimension, LENGTH_EPSILON),
      builder.integers([0, -1, channels]),
    ]);
  const rate = builder.add('Neg', [builder.add('Exp', [operators.tensor(roles.get('recurrence.rate'))])]);
  const paces = operators.exactLinear(value, roles.get('recurrence.decay'), roles.get('recurrence.decay.bias'));
  const read = withState(
    builder,
    'LinearAttention',
    [
      unitHeads(query),
      unitHeads(key),
      values,
      `past_recurrent.${layer}`,
      builder.add('Mul', [rate, softplus(builder, paces, builder.add('CastLike', [builder.constant([1]), paces]))]),
      builder.add('Sigmoid', [operators.exactLinear(value, roles.get('recurrence.write'))]),
    ],
    `present_recurrent.${layer}`,
    {
      q_num_heads: whole(keyHeads),
      kv_num_heads: whole(valueHeads),
      update_rule: text('gated_delta'),
      scale: float(keyDimension ** -0.5),
    },
  );
  const gate = builder.add(
    'QuickGelu',
    [operators.linear(value, roles.get('recurrence.gate'))],
    { alpha: float(1) },
    MICROSOFT,
  );
  const normed = operators.norm(inHeads(read, valueDimension), { weight: roles.get('recurrence.scale') });
  const joined = builder.add('Reshape', [normed, builder.integers([0, -1, valueHeads * valueDimension])]);
  return builder.add('Mul', [joined, gate]);
}

/** An operator of ONNX Runtime's that gives a result and, as `present`, its next state. */
function withState(
  builder: GraphBuilder,
  operator: string,
  inputs: readonly string[],
  present: string,
  attributes: Node['attributes'],
): string {
  const result = builder.unique(operator.toLowerCase());
  builder.append({
    name: `node/${result}`,
    operator,
    ...MICROSOFT,
    inputs,
    outputs: [result, present],
    attributes,
  });
  return result;
}
