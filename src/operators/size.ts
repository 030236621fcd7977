import type { Operator } from './operator.ts';
import { elementCount, inputType, typed } from './shapes.ts';

/** The number of elements of a tensor, an int64 scalar. */
export const size: Operator = {
  type: 'Size',
  domain: '',
  infer: (node, inputs) => [typed('int64', [], [elementCount(inputType(node, inputs, 0).shape)])],
  cost: () => 0,
};
