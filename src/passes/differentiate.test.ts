import { describe, expect, it } from 'vitest';
import { UnsupportedError, UsageError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import { evaluate, expectClose, numbersOf, testRuntime } from '../operators/testing/finite-differences.ts';
import { randomNumbers, tensor } from '../operators/testing/host-tensors.ts';
import type { HostTensor } from '../runtime/runtime.ts';
import { differentiate, gradientOf } from './differentiate.ts';
import { testBlock } from './testing/block.ts';
import { randomFeeds } from './testing/feeds.ts';

const operators = (graph: Graph) => graph.nodes.map((node) => node.operator);

describe('the gradient of a whole block', () => {
  it.each([
    { name: 'grouped-query', options: {} },
    { name: 'grouped-query with biases and head norms', options: { bias: true, headNorm: true } },
    { name: 'fused projections', options: { fusedQkv: true, fusedGateUp: true } },
  ])('$name agrees with central differences for every weight and the block input', async ({ options }) => {
    const { graph, weights, bindings } = testBlock({
      hiddenSize: 6,
      headDimension: 4,
      repeat: 2,
      keyValueHeads: 2,
      neurons: 5,
      dataType: 'float64',
      ...options,
    });
    const wrt = ['hidden', ...weights];
    const runtime = await testRuntime();
    // At 'extended' ONNX Runtime 1.30 fuses x * sigmoid(x) into QuickGelu for float64 too, for which it has no kernel.
    using forward = await runtime.createSession(graph, { optimization: 'basic' });
    using backward = await runtime.createSession(
      differentiate(graph, { seeds: { output: 'dOutput' }, wrt, bindings }),
      { optimization: 'basic' },
    );
    const feeds = randomFeeds(graph, { batch: 2, tokens: 3 }, 1);
    const seed = randomFeeds(graph, { batch: 2, tokens: 3 }, 2).hidden as HostTensor;
    const analytic = await evaluate(runtime, backward, { ...feeds, dOutput: seed });
    const step = 1e-5;
    for (const name of wrt) {
      const original = feeds[name] as HostTensor;
      const direction = Float64Array.from(original.data as Float64Array, randomNumbers(3));
      const losses: number[] = [];
      for (const sign of [1, -1]) {
        const data = (original.data as Float64Array).map(
          (value, index) => value + sign * step * (direction[index] ?? 0),
        );
        const results = await evaluate(runtime, forward, { ...feeds, [name]: { ...original, data } });
        losses.push(
          numbersOf(results, 'output').reduce((sum, value, index) => sum + value * Number(seed.data[index]), 0),
        );
      }
      const slope = numbersOf(analytic, gradientOf(name)).reduce(
        (sum, value, index) => sum + value * (direction[index] ?? 0),
        0,
      );
      expectClose(
        [slope],
        [((losses[0] ?? 0) - (losses[1] ?? 0)) / (2 * step)],
        1e-6,
        `directional derivative along ${name}`,
      );
    }
  });

  it('computes no weight gradient that is not asked for', () => {
    const { graph, weights, bindings } = testBlock({
      hiddenSize: 6,
      headDimension: 4,
      repeat: 2,
      keyValueHeads: 2,
      neurons: 5,
    });
    const only = differentiate(graph, { seeds: { output: 'dOutput' }, wrt: ['hidden'], bindings });
    const all = differentiate(graph, { seeds: { output: 'dOutput' }, wrt: ['hidden', ...weights], bindings });
    const gemms = (candidate: Graph) => operators(candidate).filter((operator) => operator === 'Gemm').length;
    // Seven projections: forward recomputes all but the last, each has one input gradient; weight gradients come on top.
    expect(gemms(only)).toBe(6 + 7);
    expect(gemms(all)).toBe(6 + 7 + 7);
    expect(only.inputs.map(({ name }) => name)).toEqual([...graph.inputs.map(({ name }) => name), 'dOutput']);
  });
});

/** y = tanh(x W) v with an intermediate h = x W. */
function chain(): Graph {
  const builder = new GraphBuilder('chain');
  const x = builder.input('x', 'float64', ['rows', 3]);
  const h = builder.add('MatMul', [x, builder.input('W', 'float64', [3, 4])], {}, { name: 'h' });
  const t = builder.add('Tanh', [h], {}, { name: 't' });
  builder.output(builder.add('MatMul', [t, builder.input('v', 'float64', [4, 2])], {}, { name: 'y' }), 'float64', [
    'rows',
    2,
  ]);
  return builder.build();
}

describe('differentiate', () => {
  const bindings = { rows: 7 };

  it('gives gradients of intermediates, taps, and declares known shapes', async () => {
    const gradient = differentiate(chain(), { seeds: { y: 'dy' }, wrt: ['W', 'h'], taps: ['t', 'x'], bindings });
    expect(gradient.outputs).toEqual([
      { name: 'gradient/W', dataType: 'float64', shape: [3, 4] },
      { name: 'gradient/h', dataType: 'float64', shape: ['h/0', 'h/1'] },
      { name: 't', dataType: 'float64', shape: ['t/0', 't/1'] },
      { name: 'x', dataType: 'float64', shape: ['rows', 3] },
    ]);
    const runtime = await testRuntime();
    using session = await runtime.createSession(gradient);
    const feeds: Record<string, HostTensor> = {
      ...randomFeeds(chain(), { rows: 2 }, 5),
      dy: tensor('float64', [2, 2], [1, -2, 3, 4]),
    };
    const results = await evaluate(runtime, session, feeds);
    const t = numbersOf(results, 't');
    const v = numbersOf(feeds, 'v');
    const seed = numbersOf(feeds, 'dy');
    const expected = Array.from(t, (value, index) => {
      const row = Math.floor(index / 4);
      const column = index % 4;
      const dt = (seed[2 * row] ?? 0) * (v[2 * column] ?? 0) + (seed[2 * row + 1] ?? 0) * (v[2 * column + 1] ?? 0);
      return dt * (1 - value * value);
    });
    expectClose(numbersOf(results, 'gradient/h'), expected, 1e-12, 'gradient of h');
    expect(results.x?.data).toEqual(feeds.x?.data);
  });

  it('stops at constants', () => {
    expect(() => differentiate(chain(), { seeds: { y: 'dy' }, wrt: ['W'], constants: ['t'], bindings })).toThrow(
      /None of y depends on W/,
    );
  });

  it('takes several seeds', async () => {
    const gradient = differentiate(chain(), { seeds: { y: 'dy', t: 'dt' }, wrt: ['h'], bindings });
    const single = differentiate(chain(), { seeds: { y: 'dy' }, wrt: ['h'], bindings });
    const runtime = await testRuntime();
    using both = await runtime.createSession(gradient);
    using one = await runtime.createSession(single);
    const feeds = randomFeeds(chain(), { rows: 2 }, 5);
    const dy = tensor('float64', [2, 2], [1, -2, 3, 4]);
    const zero = tensor('float64', [2, 4], new Array(8).fill(0));
    const first = await evaluate(runtime, both, { ...feeds, dy, dt: zero });
    expectClose(
      first['gradient/h']?.data as Float64Array,
      (await evaluate(runtime, one, { ...feeds, dy }))['gradient/h']?.data as Float64Array,
      1e-12,
      'gradient of h',
    );
  });

  it('refuses unknown values, integer values and values that nothing depends on', () => {
    const of =
      (wrt: string[], more: object = {}) =>
      () =>
        differentiate(chain(), { seeds: { y: 'dy' }, wrt, bindings, ...more });
    expect(of(['nothing'])).toThrow(UsageError);
    expect(of(['nothing'])).toThrow(/no value called nothing/);
    expect(of(['W'], { constants: ['W'] })).toThrow(UsageError);
    expect(of(['W'], { bindings: {} })).toThrow(/symbolic dimension rows/);
  });

  it('names the node that it cannot cross', () => {
    const builder = new GraphBuilder('signs');
    const x = builder.input('x', 'float32', [3]);
    builder.output(builder.add('Sign', [x]), 'float32', [3], 'y');
    expect(() => differentiate(builder.build(), { seeds: { y: 'dy' }, wrt: ['x'], bindings: {} })).toThrow(
      UnsupportedError,
    );
    expect(() => differentiate(builder.build(), { seeds: { y: 'dy' }, wrt: ['x'], bindings: {} })).toThrow(
      /node\/sign_0 uses Sign, which has no gradient/,
    );
  });

  it('names an operator without rules', () => {
    const builder = new GraphBuilder('odd');
    builder.output(builder.add('Det', [builder.input('x', 'float32', [3, 3])]), 'float32', [], 'y');
    expect(() => differentiate(builder.build(), { seeds: { y: 'dy' }, wrt: ['x'], bindings: {} })).toThrow(
      /node\/det_0 uses the operator Det of the domain ai.onnx/,
    );
  });
});
