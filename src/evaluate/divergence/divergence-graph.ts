import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';

/** Times this, any logit that is not the largest of its row is out of the question. */
const OUT_OF_THE_QUESTION = 1e30;

/**
 * How far the distributions of two models are apart, row by row: `dense` and `other`, logits [rows, vocabulary], give `divergence` [rows], KL(dense || other) in nats, and `behind` [rows]: how much
 * less probable, in nats, the other model finds the token that the dense one finds most probable than its own; 0 where they agree.
 */
export function divergenceGraph(vocabulary: number): Graph {
  const builder = new GraphBuilder('divergence');
  const shape = ['rows', vocabulary];
  const last = builder.integers([-1]);
  const normalised = (name: string) => {
    const logits = builder.input(name, 'float32', shape);
    const shifted = builder.add('Sub', [logits, builder.add('ReduceMax', [logits, last], { keepdims: 1 })]);
    const sum = builder.add('ReduceSum', [builder.add('Exp', [shifted]), last], { keepdims: 1 });
    return { shifted, logs: builder.add('Sub', [shifted, builder.add('Log', [sum])]) };
  };
  const [dense, other] = [normalised('dense'), normalised('other')];
  const terms = builder.add('Mul', [builder.add('Exp', [dense.logs]), builder.add('Sub', [dense.logs, other.logs])]);
  builder.output(builder.add('ReduceSum', [terms, last], { keepdims: 0 }), 'float32', ['rows'], 'divergence');
  const best = builder.add('Add', [
    other.shifted,
    builder.add('Mul', [dense.shifted, builder.constant([OUT_OF_THE_QUESTION])]),
  ]);
  // Shifted logits have the largest of their row at 0.
  const behind = builder.add('Neg', [builder.add('ReduceMax', [best, last], { keepdims: 0 })]);
  builder.output(behind, 'float32', ['rows'], 'behind');
  return builder.build();
}

/** Log-probabilities of chosen tokens: `logits` [rows, vocabulary] and `tokens` int64 [rows, top] give `chosen` [rows, top]. */
export function chosenGraph(vocabulary: number): Graph {
  const builder = new GraphBuilder('chosen tokens');
  const logits = builder.input('logits', 'float32', ['rows', vocabulary]);
  const tokens = builder.input('tokens', 'int64', ['rows', 'top']);
  const last = builder.integers([-1]);
  const shifted = builder.add('Sub', [logits, builder.add('ReduceMax', [logits, last], { keepdims: 1 })]);
  const logSum = builder.add('Log', [builder.add('ReduceSum', [builder.add('Exp', [shifted]), last], { keepdims: 1 })]);
  const chosen = builder.add('GatherElements', [shifted, tokens], { axis: 1 });
  builder.output(builder.add('Sub', [chosen, logSum]), 'float32', ['rows', 'top'], 'chosen');
  return builder.build();
}
