import { UnsupportedError } from '../errors.ts';
import { nameOf, stringAttribute } from './attributes.ts';
import type { Operator } from './operator.ts';
import { frontAxis, inputType, knownElements, range, typed } from './shapes.ts';

/** Constant padding; it appears in gradients of Slice. */
export const pad: Operator = {
  type: 'Pad',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    if (stringAttribute(node, 'mode', 'constant') !== 'constant')
      throw new UnsupportedError(`${nameOf(node)}: mode must be "constant".`);
    const pads = knownElements(node, inputs, 1, 'pads');
    const axes = inputs[3]
      ? knownElements(node, inputs, 3, 'axes').map((axis) => frontAxis(node, axis, x.shape.length))
      : range(x.shape.length);
    return [
      typed(
        x.dataType,
        x.shape.map((size, axis) => {
          const index = axes.indexOf(axis);
          return index < 0 ? size : size + (pads[index] ?? 0) + (pads[index + axes.length] ?? 0);
        }),
      ),
    ];
  },
  cost: () => 0,
};
