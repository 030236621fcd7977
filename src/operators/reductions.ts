import type { GraphBuilder } from '../onnx/builder.ts';
import type { DataType, Node } from '../onnx/graph.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { axesOf } from './couplings.ts';
import { castTo, operand, scalar, singleOutput } from './gradients.ts';
import type { GradientContext, Operator } from './operator.ts';
import { frontAxis, type InputTypes, inputType, knownElements, range, typed } from './shapes.ts';

/** What a reduction's gradient rule sees. `dy` and `y` have kept axes (size 1), so they broadcast against x. */
interface ReductionValues {
  readonly x: string;
  readonly y: () => string;
  readonly dy: string;
  readonly axes: readonly number[];
  readonly dataType: DataType;
  readonly context: GradientContext;
}

interface ReductionRule {
  readonly type: string;
  readonly gradient?: (builder: GraphBuilder, values: ReductionValues) => string;
  /** Folds all elements of a known one-dimensional input. */
  readonly fold?: (elements: readonly number[]) => number;
}

/** A reduction over the axes of input 1 (all axes where it is absent). */
function reductionOperator(rule: ReductionRule): Operator {
  const { gradient } = rule;
  return {
    type: rule.type,
    domain: '',
    infer(node, inputs) {
      const x = inputType(node, inputs, 0);
      const axes = reducedAxes(node, inputs);
      const keep = intAttribute(node, 'keepdims', 1) === 1;
      const shape = x.shape.flatMap((size, axis) => (!axes.includes(axis) ? [size] : keep ? [1] : []));
      const whole = axes.length === x.shape.length;
      return [typed(x.dataType, shape, whole && rule.fold && x.constant ? [rule.fold(x.constant)] : undefined)];
    },
    ...(gradient && {
      gradient(context) {
        const { builder, dy, y } = singleOutput(context);
        const axes = reducedAxes(context.node, context.inputTypes);
        const x = operand(context, 0);
        const dropped = intAttribute(context.node, 'keepdims', 1) === 0 && axes.length > 0;
        const kept = (value: string) => (dropped ? builder.add('Unsqueeze', [value, builder.integers(axes)]) : value);
        return [
          gradient(builder, { x: x.name, y: () => kept(y), dy: kept(dy), axes, dataType: x.type.dataType, context }),
        ];
      },
    }),
    coupling(context) {
      const reduced = reducedAxes(context.node, context.inputTypes);
      const keep = intAttribute(context.node, 'keepdims', 1) === 1;
      const axes = axesOf(context, 0).flatMap((atoms, axis) => {
        if (!reduced.includes(axis)) return [atoms];
        context.trace.pin(atoms, `${nameOf(context.node)} reduces it`);
        return keep ? [[context.trace.fresh(1)]] : [];
      });
      return [axes];
    },
  };
}

/** Reduced axes counted from the front, ascending. */
function reducedAxes(node: Node, inputs: InputTypes): readonly number[] {
  const { shape } = inputType(node, inputs, 0);
  const given = inputs[1] ? knownElements(node, inputs, 1, 'axes') : [];
  if (given.length === 0) return intAttribute(node, 'noop_with_empty_axes', 0) === 1 ? [] : range(shape.length);
  return given.map((axis) => frontAxis(node, axis, shape.length)).sort((a, b) => a - b);
}

/** Stretches `value` (reduced axes kept with size 1) to the shape of the reduction's input. */
function stretch(builder: GraphBuilder, value: string, { axes, context, x }: ReductionValues): string {
  const sizes = context.knownInputSizes[0];
  const target = sizes?.map((size, axis) => (axes.includes(axis) ? size : 1));
  const known = target?.every((size) => size !== undefined)
    ? builder.integers(target as number[])
    : builder.add('Shape', [x]);
  return builder.add('Expand', [value, known]);
}

const reduceSum = reductionOperator({
  type: 'ReduceSum',
  fold: (elements) => elements.reduce((sum, element) => sum + element, 0),
  gradient: (builder, values) => stretch(builder, values.dy, values),
});

/** dx = dy / n, n the number of elements that one mean is over. */
const reduceMean = reductionOperator({
  type: 'ReduceMean',
  gradient: (builder, values) =>
    stretch(builder, builder.add('Div', [values.dy, reducedCount(builder, values)]), values),
});

function reducedCount(builder: GraphBuilder, { context, axes, x, dataType }: ReductionValues): string {
  const sizes = axes.map((axis) => context.knownInputSizes[0]?.[axis]);
  if (sizes.every((size) => size !== undefined))
    return scalar(
      builder,
      sizes.reduce<number>((product, size) => product * (size ?? 1), 1),
      dataType,
    );
  const product = axes
    .map((axis) => builder.add('Shape', [x], { start: axis, end: axis + 1 }))
    .reduce((a, b) => builder.add('Mul', [a, b]));
  return castTo(builder, product, dataType);
}

/** The gradient goes to the largest elements, in equal parts where several are equal. */
const reduceMax = reductionOperator({
  type: 'ReduceMax',
  gradient(builder, { x, y, dy, axes, dataType }) {
    if (axes.length === 0) return dy;
    const largest = castTo(builder, builder.add('Equal', [x, y()]), dataType);
    const ties = builder.add('ReduceSum', [largest, builder.integers(axes)], { keepdims: 1 });
    return builder.add('Mul', [largest, builder.add('Div', [dy, ties])]);
  },
});

/** Sum of absolute values. dx = dy sign(x) */
const reduceL1 = reductionOperator({
  type: 'ReduceL1',
  gradient: (builder, { x, dy }) => builder.add('Mul', [builder.add('Sign', [x]), dy]),
});

/** Sum of squares. dx = 2 dy x */
const reduceSumSquare = reductionOperator({
  type: 'ReduceSumSquare',
  gradient: (builder, { x, dy, dataType }) =>
    builder.add('Mul', [x, builder.add('Mul', [dy, scalar(builder, 2, dataType)])]),
});

/** Operators that reduce axes. */
export const REDUCTIONS: readonly Operator[] = [reduceSum, reduceMean, reduceMax, reduceL1, reduceSumSquare];
