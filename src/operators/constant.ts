import { UnsupportedError } from '../errors.ts';
import { nameOf, tensorAttribute } from './attributes.ts';
import { initializerType } from './initializer-type.ts';
import type { Operator } from './operator.ts';
import { typed } from './shapes.ts';

/** A tensor held in an attribute. */
export const constant: Operator = {
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
  cost: () => 0,
};
