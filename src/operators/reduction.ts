import type { GraphBuilder } from '../onnx/builder.ts';
import type { DataType, Node } from '../onnx/graph.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { axesOf } from './couplings.ts';
import { operand, singleOutput } from './gradients.ts';
import type { GradientContext, Operator } from './operator.ts';
import { elementCount, frontAxis, type InputTypes, inputType, knownElements, range, typed } from './shapes.ts';

/** What a reduction's gradient rule sees. `dy` and `y` have kept axes (size 1), so they broadcast against x. */
export interface ReductionValues {
  readonly x: string;
  readonly y: () => string;
  readonly dy: string;
  readonly axes: readonly number[];
  readonly dataType: DataType;
  readonly context: GradientContext;
}

export interface ReductionRule {
  readonly type: string;
  /** Floating-point operations per input element. */
  readonly flops: number;
  readonly gradient?: (builder: GraphBuilder, values: ReductionValues) => string;
  /** Folds all elements of a known one-dimensional input. */
  readonly fold?: (elements: readonly number[]) => number;
}

/** A reduction over the axes of input 1 (all axes where it is absent). */
export function reductionOperator(rule: ReductionRule): Operator {
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
    cost: (node, inputs) => rule.flops * elementCount(inputType(node, inputs, 0).shape),
  };
}

/** Reduced axes counted from the front, ascending. */
export function reducedAxes(node: Node, inputs: InputTypes): readonly number[] {
  const { shape } = inputType(node, inputs, 0);
  const given = inputs[1] ? knownElements(node, inputs, 1, 'axes') : [];
  if (given.length === 0) return intAttribute(node, 'noop_with_empty_axes', 0) === 1 ? [] : range(shape.length);
  return given.map((axis) => frontAxis(node, axis, shape.length)).sort((a, b) => a - b);
}

/** Stretches `value` (reduced axes kept with size 1) to the shape of the reduction's input. */
export function stretch(builder: GraphBuilder, value: string, { axes, context, x }: ReductionValues): string {
  const sizes = context.knownInputSizes[0];
  const target = sizes?.map((size, axis) => (axes.includes(axis) ? size : 1));
  const known = target?.every((size) => size !== undefined)
    ? builder.integers(target as number[])
    : builder.add('Shape', [x]);
  return builder.add('Expand', [value, known]);
}
