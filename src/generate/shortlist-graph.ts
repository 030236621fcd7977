import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';

const FLOAT32 = 1;
const FLOAT64 = 11;

/**
 * Reduces logits [.., vocabulary] of one position to what choosing a token needs: `values` float32 [count] and `ids` int64 [count], the greatest
 * first and equal ones by id, and `total` float64 [1], the sum of exp(logit - greatest). With `tempered` also `tempered_total`, the same of
 * exp((logit - greatest) / temperature), from the input `temperature` float64 [1]. Sums are in double precision, as where all logits are read.
 */
export function shortlistGraph(vocabulary: number, count: number, tempered: boolean): Graph {
  const builder = new GraphBuilder('shortlist');
  const logits = builder.input('logits', 'float32', ['batch_size', 'kept_sequence_length', vocabulary]);
  const temperature = tempered ? builder.input('temperature', 'float64', [1]) : undefined;
  const flat = builder.add('Reshape', [logits, builder.integers([vocabulary])]);
  const [values = '', ids = ''] = builder.addMany('TopK', [flat, builder.integers([count])], 2, { axis: 0, largest: 1, sorted: 1 });
  const greatest = builder.add('Slice', [values, builder.integers([0]), builder.integers([1])]);
  const centred = builder.add('Sub', [builder.add('Cast', [flat], { to: FLOAT64 }), builder.add('Cast', [greatest], { to: FLOAT64 })]);
  const sumOfExp = (exponents: string) => builder.add('ReduceSum', [builder.add('Exp', [exponents])], { keepdims: 1 });
  builder.output(values, 'float32', [count], 'values');
  builder.output(ids, 'int64', [count], 'ids');
  builder.output(sumOfExp(centred), 'float64', [1], 'total');
  if (temperature) builder.output(sumOfExp(builder.add('Div', [centred, temperature])), 'float64', [1], 'tempered_total');
  return builder.build();
}

/**
 * The greatest logit alone, by operators that WebGPU has: `choice` float32 [3] is its id (exact: below 2^24), the logit, and the sum of
 * exp(logit - greatest) in single precision. One small tensor, so that it is read at once.
 */
export function greatestGraph(vocabulary: number): Graph {
  const builder = new GraphBuilder('greatest');
  const logits = builder.input('logits', 'float32', ['batch_size', 'kept_sequence_length', vocabulary]);
  const flat = builder.add('Reshape', [logits, builder.integers([vocabulary])]);
  const id = builder.add('Cast', [builder.add('ArgMax', [flat], { axis: 0, keepdims: 1 })], { to: FLOAT32 });
  const greatest = builder.add('ReduceMax', [flat], { keepdims: 1 });
  const total = builder.add('ReduceSum', [builder.add('Exp', [builder.add('Sub', [flat, greatest])])], { keepdims: 1 });
  builder.output(builder.add('Concat', [id, greatest, total], { axis: 0 }), 'float32', [3], 'choice');
  return builder.build();
}
