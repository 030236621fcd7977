import { elementCount } from '../../arrays.ts';
import { EspalierError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { DataType } from '../../onnx/graph.ts';
import type { HostTensor, Runtime, SessionOptions } from '../runtime.ts';

/** One behaviour that every runtime must show. `run` rejects with a sentence when it does not. No test framework is used, so that cases run in a page too. */
export interface ConformanceCase {
  readonly name: string;
  run(runtime: Runtime): Promise<void>;
}

/** Repeatable numbers in [-1, 1). */
export function randomValues(count: number, seed: number): number[] {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** A float32 tensor of repeatable numbers in [-1, 1). */
export function randomTensor(shape: readonly number[], seed: number): HostTensor {
  return floats(shape, randomValues(elementCount(shape), seed));
}

export function floats(shape: readonly number[], values: readonly number[]): HostTensor {
  return { dataType: 'float32', shape, data: Float32Array.from(values) };
}

export function integers(shape: readonly number[], values: readonly number[]): HostTensor {
  return { dataType: 'int64', shape, data: BigInt64Array.from(values, (value) => BigInt(value)) };
}

/** The elements of a tensor as numbers. */
export function numbers(tensor: HostTensor): number[] {
  return Array.from(tensor.data as Iterable<number | bigint>, Number);
}

/** Declares inputs for `feeds`, lets `define` add nodes and outputs, runs once and reads every output. All device memory is released. */
export async function evaluate(
  runtime: Runtime,
  feeds: Readonly<Record<string, HostTensor>>,
  define: (builder: GraphBuilder) => void,
  options: SessionOptions = {},
): Promise<Record<string, HostTensor>> {
  const builder = new GraphBuilder('conformance');
  for (const [name, tensor] of Object.entries(feeds)) builder.input(name, tensor.dataType, tensor.shape);
  define(builder);
  using session = await runtime.createSession(builder.build(), options);
  const uploaded = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, runtime.upload(tensor)]));
  const outputs = await session.run(uploaded);
  const results: Record<string, HostTensor> = {};
  for (const [name, tensor] of Object.entries(outputs)) results[name] = await runtime.read(tensor);
  for (const tensor of [...Object.values(uploaded), ...Object.values(outputs)]) tensor.dispose();
  return results;
}

/** `evaluate` for a graph with one output called `result`. `define` returns the value that becomes it. */
export async function evaluateOne(
  runtime: Runtime,
  feeds: Readonly<Record<string, HostTensor>>,
  define: (builder: GraphBuilder) => string,
  output: { readonly shape: readonly number[]; readonly dataType?: DataType },
): Promise<HostTensor> {
  const results = await evaluate(runtime, feeds, (builder) =>
    builder.output(define(builder), output.dataType ?? 'float32', output.shape, 'result'),
  );
  return found(results, 'result');
}

/** The entry of a record that must be there. */
export function found<Value>(record: Readonly<Record<string, Value>>, name: string): Value {
  const value = record[name];
  if (value === undefined) throw new Error(`There is no output ${name}; there are ${Object.keys(record).join(', ')}.`);
  return value;
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function assertEqual(actual: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  assert(a === b, `${what} is ${a}, expected ${b}.`);
}

/** Shape equal, and |actual - expected| at most tolerance * (1 + |expected|) everywhere. */
export function assertClose(
  actual: HostTensor,
  shape: readonly number[],
  expected: ArrayLike<number>,
  what: string,
  tolerance = 1e-5,
): void {
  assertEqual(actual.shape, shape, `The shape of ${what}`);
  const values = numbers(actual);
  assertEqual(values.length, expected.length, `The number of elements of ${what}`);
  for (const [index, value] of values.entries()) {
    const wanted = Number(expected[index]);
    assert(
      Math.abs(value - wanted) <= tolerance * (1 + Math.abs(wanted)),
      `Element ${index} of ${what} is ${value}, expected ${wanted}.`,
    );
  }
}

/** `action` must reject with an EspalierError of this code. */
export async function assertRejects(action: () => unknown, code: string, what: string): Promise<void> {
  try {
    await action();
  } catch (error) {
    assert(error instanceof EspalierError, `${what} failed with ${error}, expected an EspalierError.`);
    assertEqual(error.code, code, `The code of the error of ${what} (${error.message})`);
    return;
  }
  throw new Error(`${what} succeeded, expected an error of code ${code}.`);
}
