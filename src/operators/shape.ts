import { intAttribute } from './attributes.ts';
import type { Operator } from './operator.ts';
import { inputType, typed } from './shapes.ts';

/** The sizes of a tensor's axes from `start` to `end`, as int64. */
export const shape: Operator = {
  type: 'Shape',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const sizes = x.shape.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', x.shape.length));
    return [typed('int64', [sizes.length], sizes)];
  },
  cost: () => 0,
};
