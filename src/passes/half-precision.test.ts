import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { floatToHalf, halfToFloat } from '../checkpoint/half.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { halfPrecision } from './half-precision.ts';

/** y = softmax(x W^T + mask), its gate, and the sum of squares of the product. */
function example(): Graph {
  const builder = new GraphBuilder('example');
  const x = builder.input('x', 'float32', ['rows', 4]);
  const w = builder.input('w', 'float32', [3, 4]);
  const mask = builder.input('mask', 'float32', ['rows', 3]);
  const product = builder.add('Gemm', [x, w], { transB: 1 }, { name: 'product' });
  const gate = builder.add('Mul', [product, builder.add('Sigmoid', [product])], {}, { name: 'gate' });
  const doubled = builder.add('Mul', [gate, builder.constant([2])], {}, { name: 'doubled' });
  const softmax = builder.add('Softmax', [builder.add('Add', [doubled, mask], {}, { name: 'masked' })], { axis: -1 });
  const square = builder.add('Mul', [product, product], {}, { name: 'square' });
  const flat = builder.add('Reshape', [square, builder.integers([-1])], {}, { name: 'flat' });
  builder.output(builder.add('ReduceSum', [flat, builder.integers([0])], { keepdims: 0 }), 'float32', [], 'energy');
  builder.output(softmax, 'float32', ['rows', 3], 'y');
  builder.output(product, 'float32', ['rows', 3]);
  builder.output(gate, 'float32', ['rows', 3]);
  return builder.build();
}

const HALF = new Set(['x', 'w', 'product', 'gate']);

describe('half precision', () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createNodeRuntime({ threads: 1 });
  });
  afterAll(() => runtime.dispose());

  test('is what products compute in, and what only they and states lead to; what is summed or exponentiated is widened first', () => {
    const { inputs, outputs, nodes } = halfPrecision(example(), (name) => HALF.has(name));
    expect(inputs.map(({ name, dataType }) => [name, dataType])).toEqual([
      ['x', 'float16'],
      ['w', 'float16'],
      ['mask', 'float32'],
    ]);
    expect(outputs.map(({ name, dataType }) => [name, dataType])).toEqual([
      ['energy', 'float32'],
      ['y', 'float32'],
      ['product', 'float16'],
      ['gate', 'float16'],
    ]);
    const reading = (output: string) => nodes.find(({ outputs: own }) => own.includes(output))?.inputs;
    expect(reading('product')).toEqual(['x', 'w']);
    expect(reading('gate')?.[0]).toBe('product');
    expect(reading('doubled')?.[0]).toBe('gate/float32');
    // A mask is of single precision, and so is a square that is summed: 300 squared is beyond half precision.
    expect(reading('masked')).toEqual(['doubled', 'mask']);
    expect(reading('square')).toEqual(['product/float32', 'product/float32']);
    expect(reading('flat')?.[0]).toBe('square');
  });

  test('gives what single precision gives, within its rounding', async () => {
    const values = (count: number, scale: number) =>
      Float32Array.from({ length: count }, (_, index) => scale * Math.sin(3 * index + 1));
    const [x, w, mask] = [values(8, 200), values(12, 1), Float32Array.of(0, 0, -1e9, 0, 0, 0)];
    const run = async (half: boolean) => {
      const graph = half ? halfPrecision(example(), (name) => HALF.has(name)) : example();
      using session = await runtime.createSession(graph, { label: 'example' });
      const upload = (data: Float32Array, shape: number[], narrow: boolean) =>
        runtime.upload(
          narrow ? { dataType: 'float16', shape, data: floatToHalf(data) } : { dataType: 'float32', shape, data },
        );
      using inputs = {
        x: upload(x, [2, 4], half),
        w: upload(w, [3, 4], half),
        mask: upload(mask, [2, 3], false),
        [Symbol.dispose]() {
          for (const tensor of [this.x, this.w, this.mask]) tensor.dispose();
        },
      };
      const outputs = await session.run({ x: inputs.x, w: inputs.w, mask: inputs.mask });
      const found: Record<string, Float32Array> = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        const { data } = await runtime.read(tensor);
        found[name] = data instanceof Uint16Array ? halfToFloat(data) : (data as Float32Array);
        tensor.dispose();
      }
      return found;
    };
    const [single, half] = [await run(false), await run(true)];
    expect(Object.keys(half)).toEqual(Object.keys(single));
    for (const [name, expected] of Object.entries(single)) {
      const scale = Math.max(...expected.map(Math.abs));
      for (const [index, value] of expected.entries())
        expect(Math.abs((half[name]?.[index] ?? Number.NaN) - value) / scale, name).toBeLessThan(4e-3);
    }
    expect(single.energy?.[0]).toBeGreaterThan(65504);
  });
});
