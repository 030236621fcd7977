import { MismatchError, UnsupportedError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { floatAttribute, intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, scalar, singleOutput, sumTo } from './gradients.ts';
import { layerNormalization } from './layer-normalisation.ts';
import type { GradientContext, Operator } from './operator.ts';
import { frontAxis, inputType, show, typed } from './shapes.ts';

/** Softmax along one axis. dx = y (dy - sum(dy y)) */
const softmax: Operator = {
  type: 'Softmax',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    frontAxis(node, intAttribute(node, 'axis', -1), x.shape.length);
    return [typed(x.dataType, x.shape)];
  },
  gradient(context) {
    const { builder, dy, y, yType } = singleOutput(context);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', -1), yType.shape.length);
    const mean = builder.add('ReduceSum', [builder.add('Mul', [dy, y]), builder.integers([axis])], { keepdims: 1 });
    return [builder.add('Mul', [y, builder.add('Sub', [dy, mean])])];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    context.trace.pin(axisAt(axes, intAttribute(context.node, 'axis', -1)), `${nameOf(context.node)} normalises it`);
    return [axes];
  },
};

/** Logarithm of softmax along one axis. dx = dy - exp(y) sum(dy) */
const logSoftmax: Operator = {
  ...softmax,
  type: 'LogSoftmax',
  gradient(context) {
    const { builder, dy, y, yType } = singleOutput(context);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', -1), yType.shape.length);
    const sum = builder.add('ReduceSum', [dy, builder.integers([axis])], { keepdims: 1 });
    return [builder.add('Sub', [dy, builder.add('Mul', [builder.add('Exp', [y]), sum])])];
  },
};

/**
 * ONNX Runtime's RMSNorm over the last axis: y = x r w, r = 1 / sqrt(mean(x^2) + epsilon). An optional second output is r.
 * With g = dy w: dx = r (g - x r^2 mean(g x)); dw = sum(dy x r). r is recomputed, since not every backend gives the second output.
 */
const simplifiedLayerNormalization: Operator = {
  type: 'SimplifiedLayerNormalization',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const weight = inputType(node, inputs, 1);
    const axis = lastAxis(node, x.shape.length);
    if (weight.shape.length !== 1 || weight.shape[0] !== x.shape[axis])
      throw new MismatchError(
        `${nameOf(node)}: the weight ${show(weight.shape)} must be [${x.shape[axis]}], the last axis of ${show(x.shape)}.`,
      );
    const scale = typed('float32', x.shape.with(axis, 1));
    return node.outputs.length > 1 ? [typed(weight.dataType, x.shape), scale] : [typed(weight.dataType, x.shape)];
  },
  gradient(context) {
    if (context.outputGradients[1] !== undefined)
      throw new UnsupportedError(
        `${nameOf(context.node)}: the gradient through its second output is not supported; use only the first.`,
      );
    const { builder, dy, yType } = singleOutput(context);
    const x = operand(context, 0);
    const weight = operand(context, 1);
    const inverse = inverseRoot(context);
    const dx = () => {
      const g = builder.add('Mul', [dy, weight.name]);
      const mean = builder.add('ReduceMean', [builder.add('Mul', [g, x.name]), builder.integers([-1])], {
        keepdims: 1,
      });
      const along = builder.add('Mul', [mean, builder.add('Mul', [inverse, inverse])]);
      return builder.add('Mul', [inverse, builder.add('Sub', [g, builder.add('Mul', [x.name, along])])]);
    };
    const dw = () =>
      sumTo(builder, builder.add('Mul', [dy, builder.add('Mul', [x.name, inverse])]), yType.shape, weight.type.shape);
    return [context.wanted[0] ? dx() : undefined, context.wanted[1] ? dw() : undefined];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    const normalised = context.trace.unify(axisAt(axes, -1), axisAt(axesOf(context, 1), 0));
    context.trace.pin(normalised, `${nameOf(context.node)} normalises it`);
    return [axes, [...axes.slice(0, -1), [context.trace.fresh(1)]]];
  },
};

function inverseRoot(context: GradientContext): string {
  const { builder, node } = context;
  const x = operand(context, 0);
  const epsilon = scalar(builder, floatAttribute(node, 'epsilon', 1e-5), x.type.dataType);
  const mean = builder.add('ReduceMean', [builder.add('Mul', [x.name, x.name]), builder.integers([-1])], {
    keepdims: 1,
  });
  return builder.add('Reciprocal', [builder.add('Sqrt', [builder.add('Add', [mean, epsilon])])]);
}

function lastAxis(node: Node, rank: number): number {
  const axis = frontAxis(node, intAttribute(node, 'axis', -1), rank);
  if (axis !== rank - 1)
    throw new UnsupportedError(`${nameOf(node)}: axis ${axis} of ${rank}; only the last axis is supported.`);
  return axis;
}

/** Operators that normalise an axis. */
export const NORMALISATION: readonly Operator[] = [
  softmax,
  logSoftmax,
  simplifiedLayerNormalization,
  layerNormalization,
];
