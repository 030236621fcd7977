import { MismatchError, UnsupportedError } from '../errors.ts';
import { floatAttribute, intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, scalar, singleOutput, sumTo } from './gradients.ts';
import type { GradientContext, Operator } from './operator.ts';
import { frontAxis, inputType, show, typed } from './shapes.ts';

/**
 * Layer normalisation over the last axis (Ba et al., arXiv 1607.06450): y = n w (+ b), n = (x - mean(x)) r, r = 1 / sqrt(variance(x) + epsilon).
 * With g = dy w: dx = r (g - mean(g) - n mean(g n)); dw = sum(dy n); db = sum(dy). n and r are recomputed.
 */
export const layerNormalization: Operator = {
  type: 'LayerNormalization',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', -1), x.shape.length);
    if (axis !== x.shape.length - 1 || node.outputs.length > 1)
      throw new UnsupportedError(
        `${nameOf(node)}: axis ${axis} of ${x.shape.length} and ${node.outputs.length} outputs; only the last axis and one output are supported.`,
      );
    for (const [index, name] of node.inputs.entries()) {
      const { shape } = inputType(node, inputs, index);
      if (index > 0 && name !== '' && (shape.length !== 1 || shape[0] !== x.shape[axis]))
        throw new MismatchError(
          `${nameOf(node)}: ${index === 1 ? 'the weight' : 'the bias'} ${show(shape)} must be [${x.shape[axis]}], the last axis of ${show(x.shape)}.`,
        );
    }
    return [typed(x.dataType, x.shape)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const weight = operand(context, 1);
    const { normalised, inverse } = normalisedInput(context);
    const mean = (value: string) => builder.add('ReduceMean', [value, builder.integers([-1])], { keepdims: 1 });
    const dx = () => {
      const g = builder.add('Mul', [dy, weight.name]);
      const along = builder.add('Mul', [normalised, mean(builder.add('Mul', [g, normalised]))]);
      const centred = builder.add('Sub', [builder.add('Sub', [g, mean(g)]), along]);
      return builder.add('Mul', [inverse, centred]);
    };
    const dw = () => sumTo(builder, builder.add('Mul', [dy, normalised]), yType.shape, weight.type.shape);
    const db = () => sumTo(builder, dy, yType.shape, weight.type.shape);
    return [dx, dw, db]
      .slice(0, context.node.inputs.length)
      .map((make, index) => (context.wanted[index] ? make() : undefined));
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    let normalised = axisAt(axes, -1);
    for (let index = 1; index < context.node.inputs.length; index++)
      normalised = context.trace.unify(normalised, axisAt(axesOf(context, index), 0));
    context.trace.pin(normalised, `${nameOf(context.node)} normalises it`);
    return [axes];
  },
};

function normalisedInput(context: GradientContext) {
  const { builder, node } = context;
  const x = operand(context, 0);
  const mean = (value: string) => builder.add('ReduceMean', [value, builder.integers([-1])], { keepdims: 1 });
  const epsilon = scalar(builder, floatAttribute(node, 'epsilon', 1e-5), x.type.dataType);
  const centred = builder.add('Sub', [x.name, mean(x.name)]);
  const variance = mean(builder.add('Mul', [centred, centred]));
  const inverse = builder.add('Reciprocal', [builder.add('Sqrt', [builder.add('Add', [variance, epsilon])])]);
  return { normalised: builder.add('Mul', [centred, inverse]), inverse };
}
