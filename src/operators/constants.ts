import { elementCount } from '../arrays.ts';
import { UnsupportedError } from '../errors.ts';
import { intAttribute, nameOf, tensorAttribute } from './attributes.ts';
import { initializerType } from './initializer-type.ts';
import type { Operator } from './operator.ts';
import { inputType, typed } from './shapes.ts';

/** A tensor held in an attribute. */
const constant: Operator = {
  type: 'Constant',
  domain: '',
  infer(node) {
    const { value_int: int, value_float: real, value_ints: ints, value_floats: reals } = node.attributes;
    const tensor = tensorAttribute(node, 'value');
    if (tensor) return [initializerType(tensor)];
    if (int?.kind === 'int') return [typed('int64', [], [int.value])];
    if (ints?.kind === 'ints') return [typed('int64', [ints.value.length], ints.value)];
    if (real?.kind === 'float') return [typed('float32', [], [real.value])];
    if (reals?.kind === 'floats') return [typed('float32', [reals.value.length], reals.value)];
    throw new UnsupportedError(
      `${nameOf(node)} has attributes ${Object.keys(node.attributes).join(', ')}; supported are value, value_int, value_ints, value_float and value_floats.`,
    );
  },
};

/** The sizes of a tensor's axes from `start` to `end`, as int64. */
const shape: Operator = {
  type: 'Shape',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const sizes = x.shape.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', x.shape.length));
    return [typed('int64', [sizes.length], sizes)];
  },
};

/** The number of elements of a tensor, an int64 scalar. */
const size: Operator = {
  type: 'Size',
  domain: '',
  infer: (node, inputs) => [typed('int64', [], [elementCount(inputType(node, inputs, 0).shape)])],
};

/** Operators whose result follows from attributes and shapes alone. */
export const CONSTANTS: readonly Operator[] = [constant, shape, size];
