import { elementCount } from '../arrays.ts';
import { UnsupportedError } from '../errors.ts';
import type { DataType } from '../onnx/graph.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { elementwise, passThrough } from './couplings.ts';
import { binaryOperator, unaryOperator } from './elementwise-rules.ts';
import { gelu } from './gelu.ts';
import { castTo, ELEMENT_TYPES, operand, scalar, singleOutput, sumTo } from './gradients.ts';
import type { Operator } from './operator.ts';
import { broadcastShapes, inputType, isFloating, requireSameType, typed } from './shapes.ts';

const abs = unaryOperator({
  type: 'Abs',
  fold: Math.abs,
  gradient: (builder, { x, dy }) => builder.add('Mul', [dy, builder.add('Sign', [x])]),
});

const neg = unaryOperator({
  type: 'Neg',
  fold: (x) => -x,
  gradient: (builder, { dy }) => builder.add('Neg', [dy]),
});

const sign = unaryOperator({ type: 'Sign', fold: Math.sign });

/** dx = dy / (2 y) */
const sqrt = unaryOperator({
  type: 'Sqrt',
  gradient: (builder, { y, dy, dataType }) =>
    builder.add('Div', [builder.add('Mul', [dy, scalar(builder, 0.5, dataType)]), y]),
});

/** dx = -dy y^2 */
const reciprocal = unaryOperator({
  type: 'Reciprocal',
  gradient: (builder, { y, dy }) => builder.add('Neg', [builder.add('Mul', [dy, builder.add('Mul', [y, y])])]),
});

const exp = unaryOperator({
  type: 'Exp',
  gradient: (builder, { y, dy }) => builder.add('Mul', [dy, y]),
});

const log = unaryOperator({
  type: 'Log',
  gradient: (builder, { x, dy }) => builder.add('Div', [dy, x]),
});

const sin = unaryOperator({
  type: 'Sin',
  gradient: (builder, { x, dy }) => builder.add('Mul', [dy, builder.add('Cos', [x])]),
});

const cos = unaryOperator({
  type: 'Cos',
  gradient: (builder, { x, dy }) => builder.add('Neg', [builder.add('Mul', [dy, builder.add('Sin', [x])])]),
});

/** dx = dy (y - y^2) */
const sigmoid = unaryOperator({
  type: 'Sigmoid',
  gradient: (builder, { y, dy }) => builder.add('Mul', [dy, builder.add('Sub', [y, builder.add('Mul', [y, y])])]),
});

/** dx = dy (1 - y^2) */
const tanh = unaryOperator({
  type: 'Tanh',
  gradient: (builder, { y, dy, dataType }) =>
    builder.add('Mul', [dy, builder.add('Sub', [scalar(builder, 1, dataType), builder.add('Mul', [y, y])])]),
});

/** dx = dy where y is not 0. */
const relu = unaryOperator({
  type: 'Relu',
  gradient: (builder, { y, dy, dataType }) =>
    builder.add('Where', [castTo(builder, y, 'bool'), dy, scalar(builder, 0, dataType)]),
});

/** dx = dy 2 / sqrt(pi) exp(-x^2) */
const erf = unaryOperator({
  type: 'Erf',
  gradient(builder, { x, dy, dataType }) {
    const bell = builder.add('Exp', [builder.add('Neg', [builder.add('Mul', [x, x])])]);
    return builder.add('Mul', [dy, builder.add('Mul', [bell, scalar(builder, 2 / Math.sqrt(Math.PI), dataType)])]);
  },
});

const identity = unaryOperator({ type: 'Identity', fold: (x) => x, gradient: (_, { dy }) => dy });

const add = binaryOperator({
  type: 'Add',
  fold: (a, b) => a + b,
  gradients: [(_, { dy }) => dy, (_, { dy }) => dy],
});

const sub = binaryOperator({
  type: 'Sub',
  fold: (a, b) => a - b,
  gradients: [(_, { dy }) => dy, (builder, { dy }) => builder.add('Neg', [dy])],
});

const mul = binaryOperator({
  type: 'Mul',
  fold: (a, b) => a * b,
  gradients: [(builder, { b, dy }) => builder.add('Mul', [dy, b]), (builder, { a, dy }) => builder.add('Mul', [dy, a])],
});

const realDivision = binaryOperator({
  type: 'Div',
  gradients: [
    (builder, { b, dy }) => builder.add('Div', [dy, b]),
    (builder, { b, y, dy }) => builder.add('Neg', [builder.add('Mul', [dy, builder.add('Div', [y, b])])]),
  ],
  fold: (a, b) => a / b,
});
const wholeDivision = binaryOperator({ type: 'Div', fold: (a, b) => Math.trunc(a / b) });

/** Division; of integers it truncates towards zero. */
const div: Operator = {
  ...realDivision,
  infer: (node, inputs) =>
    (inputs[0] && !isFloating(inputs[0].dataType) ? wholeDivision : realDivision).infer(node, inputs),
};

/** x to the power p. The gradient with respect to the exponent is not offered. */
const pow: Operator = {
  type: 'Pow',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    return [typed(x.dataType, broadcastShapes(node, [x.shape, inputType(node, inputs, 1).shape]))];
  },
  gradient(context) {
    if (context.wanted[1])
      throw new UnsupportedError(
        `${nameOf(context.node)}: the gradient with respect to an exponent is not supported; make the exponent a constant.`,
      );
    const { builder, dy, yType } = singleOutput(context);
    const x = operand(context, 0);
    const exponent = operand(context, 1);
    const [known] = exponent.type.constant ?? [];
    const isSquare = known === 2 && exponent.type.constant?.length === 1;
    const slope = isSquare
      ? builder.add('Mul', [x.name, scalar(builder, 2, x.type.dataType)])
      : builder.add('Mul', [
          exponent.name,
          builder.add('Pow', [x.name, builder.add('Sub', [exponent.name, scalar(builder, 1, exponent.type.dataType)])]),
        ]);
    return [sumTo(builder, builder.add('Mul', [dy, slope]), yType.shape, x.type.shape), undefined];
  },
  coupling: elementwise,
};

/** The smaller of two numbers; of sizes, so without a gradient. */
const minimum = binaryOperator({ type: 'Min', fold: Math.min });

const greaterOrEqual = binaryOperator({ type: 'GreaterOrEqual', result: 'bool', fold: (a, b) => (a >= b ? 1 : 0) });

const equal = binaryOperator({ type: 'Equal', result: 'bool', fold: (a, b) => (a === b ? 1 : 0) });

/** condition ? a : b, elementwise with broadcasting. */
const where: Operator = {
  type: 'Where',
  domain: '',
  infer(node, inputs) {
    const condition = inputType(node, inputs, 0);
    const a = inputType(node, inputs, 1);
    const b = inputType(node, inputs, 2);
    requireSameType(node, a, b);
    const shape = broadcastShapes(node, [condition.shape, a.shape, b.shape]);
    const count = elementCount(shape);
    const known = [condition, a, b].every((type) => type.constant?.length === count);
    return [
      typed(
        a.dataType,
        shape,
        known ? condition.constant?.map((bit, index) => (bit ? a : b).constant?.[index] ?? 0) : undefined,
      ),
    ];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const condition = operand(context, 0);
    const zero = scalar(builder, 0, yType.dataType);
    const masked = (index: 1 | 2) =>
      context.wanted[index]
        ? sumTo(
            builder,
            builder.add('Where', index === 1 ? [condition.name, dy, zero] : [condition.name, zero, dy]),
            yType.shape,
            operand(context, index).type.shape,
          )
        : undefined;
    return [undefined, masked(1), masked(2)];
  },
  coupling: elementwise,
};

const BY_NUMBER: ReadonlyMap<number, DataType> = new Map(
  Object.entries(ELEMENT_TYPES).map(([name, number]) => [number, name as DataType]),
);

/** Element type conversion. */
const cast: Operator = {
  type: 'Cast',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const to = intAttribute(node, 'to', 0);
    const dataType = BY_NUMBER.get(to);
    if (!dataType)
      throw new UnsupportedError(
        `${nameOf(node)} casts to element type ${to}; supported are ${[...BY_NUMBER].map(([number, name]) => `${number} (${name})`).join(', ')}.`,
      );
    return [
      typed(
        dataType,
        x.shape,
        isFloating(dataType)
          ? x.constant
          : x.constant?.map((value) => (dataType === 'bool' ? Number(value !== 0) : Math.trunc(value))),
      ),
    ];
  },
  gradient(context) {
    const { builder, dy } = singleOutput(context);
    return [castTo(builder, dy, operand(context, 0).type.dataType)];
  },
  coupling: passThrough,
};

/** Operators that work on each element by itself. */
export const ELEMENTWISE: readonly Operator[] = [
  abs,
  neg,
  sign,
  sqrt,
  reciprocal,
  exp,
  log,
  sin,
  cos,
  sigmoid,
  tanh,
  relu,
  erf,
  identity,
  add,
  sub,
  mul,
  div,
  pow,
  minimum,
  greaterOrEqual,
  equal,
  where,
  cast,
  gelu,
];
