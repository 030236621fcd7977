import { elementCount } from '../arrays.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { DataType } from '../onnx/graph.ts';
import { elementwise, passThrough } from './couplings.ts';
import { operand, singleOutput, sumTo } from './gradients.ts';
import type { ConcreteType, Operator } from './operator.ts';
import { broadcastShapes, inputType, requireSameType, typed } from './shapes.ts';

/** Names of a unary operator's input, output and output gradient, and their element type. */
export interface UnaryValues {
  readonly x: string;
  readonly y: string;
  readonly dy: string;
  readonly dataType: DataType;
}

export interface UnaryRule {
  readonly type: string;
  /** dL/dx from x, y and dL/dy. Absent: not differentiable (or zero almost everywhere and of no use). */
  readonly gradient?: (builder: GraphBuilder, values: UnaryValues) => string;
  /** Value of a known element, for constant folding. */
  readonly fold?: (x: number) => number;
}

/** An operator that maps every element by itself. */
export function unaryOperator(rule: UnaryRule): Operator {
  const { gradient, fold } = rule;
  return {
    type: rule.type,
    domain: '',
    infer(node, inputs) {
      const x = inputType(node, inputs, 0);
      return [typed(x.dataType, x.shape, fold && x.constant?.map(fold))];
    },
    ...(gradient && {
      gradient(context) {
        const { builder, dy, y, yType } = singleOutput(context);
        return [gradient(builder, { x: operand(context, 0).name, y, dy, dataType: yType.dataType })];
      },
    }),
    coupling: passThrough,
  };
}

/** Names of a binary operator's inputs, output and output gradient, and their element type. */
export interface BinaryValues {
  readonly a: string;
  readonly b: string;
  readonly y: string;
  readonly dy: string;
  readonly dataType: DataType;
}

export interface BinaryRule {
  readonly type: string;
  /** dL/da and dL/db in the output's shape; the sum over broadcast axes is added here. Absent: not differentiable. */
  readonly gradients?: readonly [BinaryGradient, BinaryGradient];
  readonly fold?: (a: number, b: number) => number;
  /** Output type where it is not the inputs'. */
  readonly result?: DataType;
}

type BinaryGradient = (builder: GraphBuilder, values: BinaryValues) => string;

/** An elementwise operator of two inputs with broadcasting. */
export function binaryOperator(rule: BinaryRule): Operator {
  const { gradients } = rule;
  return {
    type: rule.type,
    domain: '',
    infer(node, inputs) {
      const a = inputType(node, inputs, 0);
      const b = inputType(node, inputs, 1);
      requireSameType(node, a, b);
      const shape = broadcastShapes(node, [a.shape, b.shape]);
      return [typed(rule.result ?? a.dataType, shape, foldBinary(a, b, shape, rule.fold))];
    },
    ...(gradients && {
      gradient(context) {
        const { builder, dy, y, yType } = singleOutput(context);
        const a = operand(context, 0);
        const b = operand(context, 1);
        const values: BinaryValues = { a: a.name, b: b.name, y, dy, dataType: yType.dataType };
        return [a, b].map((input, index) =>
          context.wanted[index]
            ? sumTo(builder, (gradients[index] as BinaryGradient)(builder, values), yType.shape, input.type.shape)
            : undefined,
        );
      },
    }),
    coupling: elementwise,
  };
}

/** Folds known operands of which one may be a scalar; other broadcasts are not followed. */
function foldBinary(
  a: ConcreteType,
  b: ConcreteType,
  shape: readonly number[],
  fold: BinaryRule['fold'],
): number[] | undefined {
  if (!fold || !a.constant || !b.constant) return undefined;
  const { constant: left } = a;
  const { constant: right } = b;
  const count = elementCount(shape);
  if ((left.length !== count && left.length !== 1) || (right.length !== count && right.length !== 1)) return undefined;
  return Array.from({ length: count }, (_, index) =>
    fold(left[left.length === 1 ? 0 : index] as number, right[right.length === 1 ? 0 : index] as number),
  );
}
