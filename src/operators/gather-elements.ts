import { intAttribute, nameOf } from './attributes.ts';
import { axesOf } from './couplings.ts';
import { operand, singleOutput, zerosLike } from './gradients.ts';
import type { Operator } from './operator.ts';
import { frontAxis, inputType, typed } from './shapes.ts';

/** One element per index along one axis, such as the log-probability of each target token. */
export const gatherElements: Operator = {
  type: 'GatherElements',
  domain: '',
  infer(node, inputs) {
    const data = inputType(node, inputs, 0);
    frontAxis(node, intAttribute(node, 'axis', 0), data.shape.length);
    return [typed(data.dataType, inputType(node, inputs, 1).shape)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', 0), yType.shape.length);
    const zeros = zerosLike(builder, operand(context, 0).name, yType.dataType);
    return [
      builder.add('ScatterElements', [zeros, operand(context, 1).name, dy], { axis, reduction: 'add' }),
      undefined,
    ];
  },
  coupling(context) {
    const { node, trace } = context;
    const indices = axesOf(context, 1);
    for (const atoms of axesOf(context, 0)) trace.pin(atoms, `${nameOf(node)} looks entries of it up`);
    return [indices];
  },
  cost: () => 0,
};
