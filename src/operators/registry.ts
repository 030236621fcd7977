import { UnsupportedError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { CONSTANTS } from './constants.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { INDEXING } from './indexing.ts';
import { MOVEMENT } from './movement.ts';
import { NORMALISATION } from './normalisation.ts';
import type { Operator } from './operator.ts';
import { PRODUCTS } from './products.ts';
import { REDUCTIONS } from './reductions.ts';
import { SLICING } from './slicing.ts';

/** All operators that have rules. A new one is listed in its family's file. */
const OPERATORS: readonly Operator[] = [
  ...ELEMENTWISE,
  ...REDUCTIONS,
  ...MOVEMENT,
  ...SLICING,
  ...PRODUCTS,
  ...INDEXING,
  ...NORMALISATION,
  ...CONSTANTS,
];

const byKey = new Map(OPERATORS.map((operator) => [`${operator.domain}/${operator.type}`, operator]));

/** The rules of a node's operator. Throws UnsupportedError naming operator, domain and node. */
export function operatorFor(node: Node): Operator {
  const operator = byKey.get(`${node.domain}/${node.operator}`);
  if (!operator) {
    throw new UnsupportedError(
      `Node ${node.name} uses the operator ${node.operator} of the domain ${node.domain === '' ? 'ai.onnx' : node.domain}, for which there are no rules. Supported are ${OPERATORS.map(({ type }) => type).join(', ')}.`,
    );
  }
  return operator;
}
