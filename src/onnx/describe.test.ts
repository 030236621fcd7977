import fc from 'fast-check';
import { expect, it } from 'vitest';
import { arbitraryGraph } from './arbitrary-graph.ts';
import { float, GraphBuilder } from './builder.ts';
import { describeGraph } from './describe.ts';
import { planExternalData } from './external-layout.ts';
import { readModel } from './read.ts';
import { writeModel } from './write.ts';

it('shows a graph line by line', () => {
  const builder = new GraphBuilder('layer');
  const x = builder.input('x', 'float32', ['rows', 24]);
  const weight = builder.constant(Array(48).fill(0.5), [2, 24]);
  const logits = builder.add('Gemm', [x, weight, ''], { transB: 1, alpha: float(0.1) });
  const [left, right] = builder.addMany('Split', [logits], 2, { axis: 1 }) as [string, string];
  const scaled = builder.add('Mul', [left, builder.constant([1e-5, -2], [2])]);
  const shaped = builder.add('Reshape', [right, builder.integers([0, -1])]);
  builder.output(
    builder.add('Odd', [scaled, shaped], { mode: 'a "b"' }, { domain: 'com.microsoft', name: 'two words' }),
    'float32',
    ['rows', 1],
  );
  const { graph } = planExternalData(builder.build({ purpose: 'example' }), 'model.onnx_data', { threshold: 100 });
  expect(describeGraph(graph)).toBe(`\
graph layer (ai.onnx 21, com.microsoft 1)
metadata purpose: "example"
input %x: float32[rows, 24]
initializer %constant_0: float32[2, 24] (model.onnx_data at 0, 192 bytes)
initializer %constant_3: float32[2] = [0.00001, -2.0]
initializer %constant_5: int64[2] = [0, -1]
%gemm_1 = Gemm(%x, %constant_0, _) {alpha: 0.1, transB: 1}
%split_2:0, %split_2:1 = Split(%gemm_1) {axis: 1}
%mul_4 = Mul(%split_2:0, %constant_3)
%reshape_6 = Reshape(%split_2:1, %constant_5)
%"two words" = com.microsoft.Odd(%mul_4, %reshape_6) {mode: "a \\"b\\""}
output %"two words": float32[rows, 1]
`);
});

it('shows every graph the same after writing and reading it', () => {
  fc.assert(
    fc.property(arbitraryGraph, (graph) => {
      expect(describeGraph(readModel(writeModel(graph)))).toBe(describeGraph(graph));
    }),
    { numRuns: 100, seed: 3 },
  );
});
