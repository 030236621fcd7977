import { UnsupportedError } from '../errors.ts';
import type { DataType } from '../onnx/graph.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { passThrough } from './couplings.ts';
import { castTo, ELEMENT_TYPES, operand, singleOutput } from './gradients.ts';
import type { Operator } from './operator.ts';
import { inputType, isFloating, typed } from './shapes.ts';

const BY_NUMBER: ReadonlyMap<number, DataType> = new Map(
  Object.entries(ELEMENT_TYPES).map(([name, number]) => [number, name as DataType]),
);

/** Element type conversion. */
export const cast: Operator = {
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
  cost: () => 0,
};
