import { UnsupportedError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { abs } from './abs.ts';
import { add } from './add.ts';
import { cast } from './cast.ts';
import { concat } from './concat.ts';
import { constant } from './constant.ts';
import { cos } from './cos.ts';
import { div } from './div.ts';
import { equal } from './equal.ts';
import { erf } from './erf.ts';
import { exp } from './exp.ts';
import { expand } from './expand.ts';
import { gather } from './gather.ts';
import { gatherElements } from './gather-elements.ts';
import { gelu } from './gelu.ts';
import { gemm } from './gemm.ts';
import { identity } from './identity.ts';
import { log } from './log.ts';
import { logSoftmax } from './log-softmax.ts';
import { matmul } from './matmul.ts';
import { mul } from './mul.ts';
import { neg } from './neg.ts';
import type { Operator } from './operator.ts';
import { pad } from './pad.ts';
import { pow } from './pow.ts';
import { reciprocal } from './reciprocal.ts';
import { reduceL1 } from './reduce-l1.ts';
import { reduceMax } from './reduce-max.ts';
import { reduceMean } from './reduce-mean.ts';
import { reduceSum } from './reduce-sum.ts';
import { reduceSumSquare } from './reduce-sum-square.ts';
import { reshape } from './reshape.ts';
import { scatterElements } from './scatter-elements.ts';
import { scatterND } from './scatter-nd.ts';
import { shape } from './shape.ts';
import { sigmoid } from './sigmoid.ts';
import { sign } from './sign.ts';
import { simplifiedLayerNormalization } from './simplified-layer-normalization.ts';
import { sin } from './sin.ts';
import { size } from './size.ts';
import { slice } from './slice.ts';
import { softmax } from './softmax.ts';
import { split } from './split.ts';
import { sqrt } from './sqrt.ts';
import { squeeze } from './squeeze.ts';
import { sub } from './sub.ts';
import { tanh } from './tanh.ts';
import { transpose } from './transpose.ts';
import { unsqueeze } from './unsqueeze.ts';
import { where } from './where.ts';

/** Every operator that Espalier analyses and differentiates. */
export const OPERATORS: readonly Operator[] = [
  abs,
  add,
  cast,
  concat,
  constant,
  cos,
  div,
  equal,
  erf,
  exp,
  expand,
  gatherElements,
  gather,
  gelu,
  gemm,
  identity,
  logSoftmax,
  log,
  matmul,
  mul,
  neg,
  pad,
  pow,
  reciprocal,
  reduceL1,
  reduceMax,
  reduceMean,
  reduceSumSquare,
  reduceSum,
  reshape,
  scatterElements,
  scatterND,
  shape,
  sigmoid,
  sign,
  simplifiedLayerNormalization,
  sin,
  size,
  slice,
  softmax,
  split,
  sqrt,
  squeeze,
  sub,
  tanh,
  transpose,
  unsqueeze,
  where,
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
