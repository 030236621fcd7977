import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../onnx/builder.ts';
import { simplify } from './simplify.ts';

const start = () => {
  const builder = new GraphBuilder('simplified');
  return { builder, x: builder.input('x', 'float32', ['a', 'b', 'c']) };
};
const operators = (builder: GraphBuilder) => simplify(builder.build()).nodes.map((node) => node.operator);

describe('simplify', () => {
  it('drops what reaches no output, initializers too', () => {
    const { builder, x } = start();
    builder.add('Mul', [x, builder.constant([2])]);
    builder.output(builder.add('Neg', [x]), 'float32', ['a', 'b', 'c'], 'y');
    expect(operators(builder)).toEqual(['Neg']);
    expect(simplify(builder.build()).initializers.size).toBe(0);
  });

  it('shares equal computations but keeps different attributes apart', () => {
    const { builder, x } = start();
    const same = builder.add('Add', [builder.add('Exp', [x]), builder.add('Exp', [x])]);
    const other = builder.add('Add', [
      builder.add('Softmax', [x], { axis: 0 }),
      builder.add('Softmax', [x], { axis: 1 }),
    ]);
    builder.output(builder.add('Mul', [same, other]), 'float32', ['a', 'b', 'c'], 'y');
    expect(operators(builder).sort()).toEqual(['Add', 'Add', 'Exp', 'Mul', 'Softmax', 'Softmax']);
  });

  it('joins two transposes, and cancels them where they undo each other', () => {
    const { builder, x } = start();
    const back = builder.add('Transpose', [builder.add('Transpose', [x], { perm: [2, 0, 1] })], { perm: [1, 2, 0] });
    const both = builder.add('Transpose', [builder.add('Transpose', [x], { perm: [1, 0, 2] })], { perm: [0, 2, 1] });
    builder.output(builder.add('Neg', [back]), 'float32', ['a', 'b', 'c'], 'same');
    builder.output(builder.add('Neg', [both]), 'float32', ['b', 'c', 'a'], 'moved');
    const { nodes } = simplify(builder.build());
    expect(nodes.map((node) => node.operator)).toEqual(['Transpose', 'Neg', 'Neg']);
    expect(nodes[1]?.inputs).toEqual(['x']);
    expect(nodes[0]?.attributes.perm).toEqual({ kind: 'ints', value: [1, 2, 0] });
  });

  it('lets a node compute an output under its own name, and keeps a second name for it', () => {
    const { builder, x } = start();
    const y = builder.add('Neg', [x]);
    builder.output(y, 'float32', ['a', 'b', 'c'], 'first');
    builder.output(y, 'float32', ['a', 'b', 'c'], 'second');
    builder.output(x, 'float32', ['a', 'b', 'c'], 'copy');
    const { nodes, outputs } = simplify(builder.build());
    expect(outputs.map(({ name }) => name)).toEqual(['first', 'second', 'copy']);
    expect(nodes.map((node) => [node.operator, node.inputs[0], node.outputs[0]])).toEqual([
      ['Neg', 'x', 'first'],
      ['Identity', 'first', 'second'],
      ['Identity', 'x', 'copy'],
    ]);
  });
});
