import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { LinearMember } from '../structures/linear-members.ts';

/**
 * Element scores of one window by ordinary operators (docs/method.md section 2). Inputs: rows `start` to `end` (int64 [1]) of `input/<weight>` [rows, in] and
 * `outputGradient/<weight>` [rows, out] are the window; `<weight>` [out, in]; the sums so far `first/<weight>` (w g) and `second/<weight>` (w^2 g^2).
 * Outputs: `absolute/<weight>` [channels], the sum of |w g_j| along the ungrouped axis, and the sums `first/<weight>/next`, `second/<weight>/next`.
 */
export function elementGraph(members: readonly LinearMember[]): Graph {
  const builder = new GraphBuilder('elements');
  const start = builder.input('start', 'int64', [1]);
  const end = builder.input('end', 'int64', [1]);
  const rowAxis = builder.integers([0]);
  for (const { weight, axis, shape } of members) {
    const [outputs = 'out', inputs = 'in'] = shape;
    const matrix = builder.input(weight, 'float32', shape);
    const rows = (name: string, width: number | string) =>
      builder.add('Slice', [builder.input(`${name}/${weight}`, 'float32', ['rows', width]), start, end, rowAxis]);
    const gradient = builder.add('Gemm', [rows('outputGradient', outputs), rows('input', inputs)], { transA: 1 });
    const weighted = builder.add('Mul', [matrix, gradient]);
    const first = builder.input(`first/${weight}`, 'float32', shape);
    const second = builder.input(`second/${weight}`, 'float32', shape);
    const channels = axis === 0 ? outputs : inputs;
    builder.output(
      builder.add('ReduceL1', [weighted, builder.integers([1 - axis])], { keepdims: 0 }),
      'float32',
      [channels],
      `absolute/${weight}`,
    );
    builder.output(builder.add('Add', [first, weighted]), 'float32', shape, `first/${weight}/next`);
    builder.output(
      builder.add('Add', [second, builder.add('Mul', [weighted, weighted])]),
      'float32',
      shape,
      `second/${weight}/next`,
    );
  }
  return builder.build();
}

/**
 * Reduces accumulators of one weight [out, in] along its ungrouped axis: `elementFirst` sum |A| / n, `elementSecond` sum S / n and
 * `elementMixed` sum |A / n - S / (2 n)| per channel, with A and S the sums over n windows and `scale` = 1 / n as an input.
 */
export function elementReductionGraph(axis: 0 | 1): Graph {
  const builder = new GraphBuilder(`element reduction ${axis}`);
  const first = builder.input('first', 'float32', ['rows', 'columns']);
  const second = builder.input('second', 'float32', ['rows', 'columns']);
  const scale = builder.input('scale', 'float32', []);
  const axes = builder.integers([1 - axis]);
  const channels = axis === 0 ? 'rows' : 'columns';
  const mean = builder.add('Mul', [first, scale]);
  const meanSquare = builder.add('Mul', [second, scale]);
  const mixed = builder.add('Sub', [mean, builder.add('Mul', [meanSquare, builder.constant([0.5])])]);
  builder.output(builder.add('ReduceL1', [mean, axes], { keepdims: 0 }), 'float32', [channels], 'elementFirst');
  builder.output(builder.add('ReduceSum', [meanSquare, axes], { keepdims: 0 }), 'float32', [channels], 'elementSecond');
  builder.output(builder.add('ReduceL1', [mixed, axes], { keepdims: 0 }), 'float32', [channels], 'elementMixed');
  return builder.build();
}
