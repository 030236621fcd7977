import type { Operator } from './operator.ts';
import { elementCount, inputType, typed } from './shapes.ts';

/** Writes or adds slices at index tuples; it appears in gradients of Gather. */
export const scatterND: Operator = {
  type: 'ScatterND',
  domain: '',
  infer(node, inputs) {
    const data = inputType(node, inputs, 0);
    return [typed(data.dataType, data.shape)];
  },
  cost: (node, inputs) => elementCount(inputType(node, inputs, 2).shape),
};
