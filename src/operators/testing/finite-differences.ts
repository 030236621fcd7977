import { expect } from 'vitest';
import { elementCount } from '../../arrays.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { DataType, Dimension } from '../../onnx/graph.ts';
import { differentiate, gradientOf } from '../../passes/differentiate.ts';
import { type Bindings, inferShapes, typeOf } from '../../passes/infer-shapes.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import type { HostTensor, Runtime, Session } from '../../runtime/runtime.ts';
import { isFloating } from '../shapes.ts';
import { randomNumbers, tensor } from './host-tensors.ts';

let shared: Promise<Runtime> | undefined;
/** One CPU runtime per test file. */
export function testRuntime(): Promise<Runtime> {
  shared ??= createNodeRuntime({ threads: 1 });
  return shared;
}

/** Runs a session on host tensors and reads every output. */
export async function evaluate(
  runtime: Runtime,
  session: Session,
  feeds: Readonly<Record<string, HostTensor>>,
): Promise<Record<string, HostTensor>> {
  const uploaded = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, runtime.upload(tensor)]));
  const results = await session.run(uploaded);
  const read: Record<string, HostTensor> = {};
  for (const [name, tensor] of Object.entries(results)) {
    read[name] = await runtime.read(tensor);
    tensor.dispose();
  }
  for (const tensor of Object.values(uploaded)) tensor.dispose();
  return read;
}

/** Describes one graph whose gradients are compared with central finite differences. */
export interface GradientCheck {
  /** Appends nodes and returns the output; inputs are made by `input`, floating ones of the tested type. */
  readonly build: (builder: GraphBuilder, input: InputMaker, dataType: DataType) => string;
  /** Sizes of symbolic dimensions at which the graph is analysed. */
  readonly analysis?: Bindings;
  /** Sizes at which it is run. */
  readonly sizes?: readonly Bindings[];
  /** Default float64; float32 where the CPU has no float64 kernel (steps and tolerance follow). */
  readonly dataType?: 'float32' | 'float64';
  /** Values whose gradient is checked; default: every floating-point input. */
  readonly wrt?: readonly string[];
  readonly tolerance?: number;
}

/** Makes an input filled with numbers from (-1, 1) mapped by `map`, or with given elements. */
export type InputMaker = (name: string, shape: readonly Dimension[], options?: InputOptions) => string;
export interface InputOptions {
  readonly map?: (value: number, index: number) => number;
  readonly dataType?: DataType;
}

const DEFAULT_ANALYSIS: Bindings = { a: 5, b: 7, c: 3, d: 11 };
const DEFAULT_SIZES: readonly Bindings[] = [
  { a: 2, b: 3, c: 4, d: 5 },
  { a: 3, b: 1, c: 2, d: 4 },
];

/**
 * Checks, at every size of `sizes`, that inferred shapes (of the gradient graph too) are those that ONNX Runtime gives, and that every
 * gradient agrees with central finite differences of the loss sum(seed * output) for a random seed.
 */
export async function expectGradients(check: GradientCheck): Promise<void> {
  const { analysis = DEFAULT_ANALYSIS, sizes = DEFAULT_SIZES, dataType = 'float64' } = check;
  const makers = new Map<string, Required<InputOptions>>();
  const builder = new GraphBuilder('checked');
  const output = check.build(
    builder,
    (name, shape, options = {}) => {
      makers.set(name, { map: options.map ?? ((value) => value), dataType: options.dataType ?? dataType });
      return builder.input(name, options.dataType ?? dataType, shape);
    },
    dataType,
  );
  const rank = typeOf(inferShapes(builder.build(), analysis), output).shape.length;
  builder.output(
    output,
    dataType,
    Array.from({ length: rank }, (_, axis) => `output/${axis}`),
  );
  const graph = builder.build();
  const wrt = check.wrt ?? graph.inputs.filter((input) => isFloating(input.dataType)).map(({ name }) => name);
  const runtime = await testRuntime();
  const forward = await runtime.createSession(graph, { optimization: 'disabled' });
  const gradientGraph = differentiate(graph, { seeds: { [output]: 'seed' }, wrt, bindings: analysis });
  const backward = await runtime.createSession(gradientGraph);
  for (const [round, bindings] of sizes.entries()) {
    const next = randomNumbers(round + 1);
    const feeds: Record<string, HostTensor> = {};
    const types = inferShapes(graph, bindings);
    for (const [name, { map, dataType: type }] of makers) {
      const { shape } = typeOf(types, name);
      feeds[name] = tensor(
        type,
        shape,
        Array.from({ length: elementCount(shape) }, (_, index) => map(next(), index)),
      );
    }
    const inferred = typeOf(types, output);
    const values = (await evaluate(runtime, forward, feeds))[output];
    expect(values?.shape).toEqual(inferred.shape);
    expect(values?.dataType).toBe(inferred.dataType);
    const seed = tensor(
      dataType,
      inferred.shape,
      Array.from({ length: elementCount(inferred.shape) }, () => next()),
    );
    const seedSizes = Object.fromEntries(inferred.shape.map((size, axis) => [`output/${axis}`, size]));
    const gradientTypes = inferShapes(gradientGraph, { ...bindings, ...seedSizes });
    const analytic = await evaluate(runtime, backward, { ...feeds, seed });
    for (const name of wrt) {
      const gradient = analytic[gradientOf(name)];
      expect(gradient?.shape, `shape of the gradient of ${name}`).toEqual(typeOf(types, name).shape);
      expect(typeOf(gradientTypes, gradientOf(name)).shape, `inferred shape of the gradient of ${name}`).toEqual(
        gradient?.shape,
      );
      const numeric = await finiteDifferences(runtime, forward, feeds, name, output, seed);
      expectClose(
        gradient?.data as Float64Array,
        numeric,
        check.tolerance ?? (dataType === 'float64' ? 1e-6 : 2e-2),
        `gradient of ${name} at ${JSON.stringify(bindings)}`,
      );
    }
  }
  forward.dispose();
  backward.dispose();
}

/** dL/d(input), L = sum(seed * output), element by element. */
async function finiteDifferences(
  runtime: Runtime,
  forward: Session,
  feeds: Readonly<Record<string, HostTensor>>,
  name: string,
  output: string,
  seed: HostTensor,
): Promise<number[]> {
  const original = feeds[name] as HostTensor;
  const step = original.dataType === 'float64' ? 1e-5 : 1e-2;
  const differences: number[] = [];
  for (let index = 0; index < original.data.length; index++) {
    const losses: number[] = [];
    for (const sign of [1, -1]) {
      const data = (original.data as Float64Array).slice();
      data[index] = (data[index] ?? 0) + sign * step;
      const result = (await evaluate(runtime, forward, { ...feeds, [name]: { ...original, data } }))[output];
      losses.push(dot(result?.data as Float64Array, seed.data as Float64Array));
    }
    differences.push(((losses[0] ?? 0) - (losses[1] ?? 0)) / (2 * step));
  }
  return differences;
}

/** Largest difference relative to the largest magnitude (at least 1) is within `tolerance`. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, `length of ${what}`).toBe(expected.length);
  let scale = 1;
  let worst = 0;
  for (let index = 0; index < expected.length; index++) {
    scale = Math.max(scale, Math.abs(expected[index] ?? 0));
    const difference = Math.abs((actual[index] ?? Number.NaN) - (expected[index] ?? Number.NaN));
    worst = Number.isNaN(difference) ? Number.NaN : Math.max(worst, difference);
  }
  expect(
    worst / scale,
    `${what}: ${Array.from(actual).slice(0, 6)} against ${Array.from(expected).slice(0, 6)}`,
  ).toBeLessThan(tolerance);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += (a[index] ?? 0) * (b[index] ?? 0);
  return sum;
}

/** Elements of a floating-point result that must be there. */
export function numbersOf(results: Readonly<Record<string, HostTensor>>, name: string): Float64Array {
  const data = results[name]?.data;
  expect(data, `the result ${name}`).toBeDefined();
  return Float64Array.from(data as Float64Array);
}
