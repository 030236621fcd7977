import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import {
  assert,
  assertClose,
  assertEqual,
  assertRejects,
  type ConformanceCase,
  floats,
  found,
  numbers,
  randomTensor,
} from './case.ts';
import { matrix, product, transposed } from './reference.ts';

/** y = x + x and z = x * x, at any length. */
function doubleAndSquare(): Graph {
  const builder = new GraphBuilder('double and square');
  const x = builder.input('x', 'float32', ['n']);
  builder.output(builder.add('Add', [x, x]), 'float32', ['n'], 'double');
  builder.output(builder.add('Mul', [x, x]), 'float32', ['n'], 'square');
  return builder.build();
}

/** y = x W^T with the weight as an input. */
function linear(): Graph {
  const builder = new GraphBuilder('linear');
  const x = builder.input('x', 'float32', ['rows', 'in']);
  const weight = builder.input('weight', 'float32', ['out', 'in']);
  builder.output(builder.add('Gemm', [x, weight], { transB: 1 }), 'float32', ['rows', 'out'], 'y');
  return builder.build();
}

export const SESSION_CASES: readonly ConformanceCase[] = [
  {
    name: 'Weights are inputs: one session serves two sizes',
    async run(runtime) {
      const before = runtime.statistics().sessionsCreated;
      using session = await runtime.createSession(linear());
      for (const [rows, columns, out] of [
        [3, 8, 5],
        [6, 4, 12],
      ] as const) {
        const [x, weight] = [randomTensor([rows, columns], 23), randomTensor([out, columns], 24)];
        using input = runtime.upload(x);
        using weights = runtime.upload(weight);
        using y = found(await session.run({ x: input, weight: weights }), 'y');
        const expected = product(
          matrix(x.data as Float32Array, rows, columns),
          transposed(matrix(weight.data as Float32Array, out, columns)),
        );
        assertClose(await runtime.read(y), [rows, out], expected, 'y');
      }
      assertEqual(runtime.statistics().sessionsCreated - before, 1, 'The number of sessions created');
    },
  },
  {
    name: 'Only the outputs asked for are returned',
    async run(runtime) {
      using session = await runtime.createSession(doubleAndSquare());
      using x = runtime.upload(floats([2], [3, 4]));
      const outputs = await session.run({ x }, { outputs: ['square'] });
      assertEqual(Object.keys(outputs), ['square'], 'The outputs');
      using square = found(outputs, 'square');
      assertClose(await runtime.read(square), [2], [9, 16], 'the square');
    },
  },
  {
    name: 'Outputs are written into given tensors, run after run',
    async run(runtime) {
      using session = await runtime.createSession(doubleAndSquare());
      using square = runtime.allocate('float32', [2]);
      for (const value of [3, 5]) {
        using x = runtime.upload(floats([2], [value, -value]));
        const outputs = await session.run({ x }, { outputs: ['square', 'double'], into: { square } });
        assert(outputs.square === square, 'The given tensor was not the one returned.');
        using double = found(outputs, 'double');
        assertClose(await runtime.read(square), [2], [value * value, value * value], 'the square');
        assertClose(await runtime.read(double), [2], [2 * value, -2 * value], 'the double');
      }
      using short = runtime.allocate('float32', [1]);
      using x = runtime.upload(floats([2], [1, 2]));
      await assertRejects(
        () => session.run({ x }, { into: { square: short } }),
        'mismatch',
        'Writing two elements into a tensor of one',
      );
    },
  },
  {
    name: 'An output feeds the next session without leaving the device',
    async run(runtime) {
      using session = await runtime.createSession(doubleAndSquare());
      using second = await runtime.createSession(doubleAndSquare());
      using x = runtime.upload(floats([3], [1, 2, 3]));
      using double = found(await session.run({ x }, { outputs: ['double'] }), 'double');
      using square = found(await second.run({ x: double }, { outputs: ['square'] }), 'square');
      assertClose(await runtime.read(square), [3], [4, 16, 36], 'the square of the double');
    },
  },
  {
    name: 'Outputs outlive their session',
    async run(runtime) {
      const session = await runtime.createSession(doubleAndSquare());
      using x = runtime.upload(floats([3], [1, 2, 3]));
      using double = found(await session.run({ x }, { outputs: ['double'] }), 'double');
      session.dispose();
      await runtime.synchronize();
      using other = await runtime.createSession(doubleAndSquare());
      using again = found(await other.run({ x: double }, { outputs: ['double'] }), 'double');
      assertClose(await runtime.read(double), [3], [2, 4, 6], 'the double');
      assertClose(await runtime.read(again), [3], [4, 8, 12], 'the double of the double');
    },
  },
  {
    name: 'Runs that are asked for at once are queued',
    async run(runtime) {
      const [session, other] = await Promise.all([
        runtime.createSession(doubleAndSquare()),
        runtime.createSession(linear()),
      ]);
      const inputs = Array.from({ length: 6 }, (_, index) => runtime.upload(floats([2], [index, 1])));
      using weight = runtime.upload(floats([1, 1], [2]));
      using row = runtime.upload(floats([1, 1], [21]));
      const runs = inputs.map((x) => session.run({ x }, { outputs: ['double'] }));
      const product = other.run({ x: row, weight });
      const results = await Promise.all(runs.map(async (run) => numbers(await readAndDispose(await run))));
      assertEqual(
        results,
        inputs.map((_, index) => [2 * index, 2]),
        'The results',
      );
      assertEqual(numbers(await readAndDispose(await product)), [42], 'The product');
      for (const disposable of [...inputs, session, other]) disposable.dispose();

      async function readAndDispose(outputs: Awaited<ReturnType<typeof session.run>>) {
        const [tensor] = Object.values(outputs);
        assert(tensor !== undefined, 'A run returned no tensor.');
        const copy = await runtime.read(tensor);
        tensor.dispose();
        return copy;
      }
    },
  },
  {
    name: 'Wrong feeds are refused by name',
    async run(runtime) {
      using session = await runtime.createSession(linear());
      using x = runtime.upload(randomTensor([2, 3], 25));
      using weight = runtime.upload(randomTensor([4, 3], 26));
      using integers = runtime.allocate('int32', [4, 3]);
      await assertRejects(() => session.run({ x }), 'missing', 'A run without its weight');
      await assertRejects(() => session.run({ x, weight, bias: weight }), 'missing', 'A run with an unknown input');
      await assertRejects(
        () => session.run({ x, weight }, { outputs: ['z'] }),
        'missing',
        'A run for an unknown output',
      );
      await assertRejects(() => session.run({ x, weight: integers }), 'mismatch', 'A run with integers for floats');
      await assertRejects(() => runtime.createSession(new Uint8Array([1, 2, 3])), 'device', 'Compiling three bytes');
    },
  },
  {
    name: 'A run whose sizes do not fit fails, and the runtime goes on',
    async run(runtime) {
      using session = await runtime.createSession(linear());
      using x = runtime.upload(randomTensor([2, 3], 27));
      using narrow = runtime.upload(randomTensor([4, 2], 28));
      let message = '';
      await session.run({ x, weight: narrow }).catch((error: Error) => {
        message = error.message;
      });
      assert(
        message.startsWith('linear could not run'),
        `The message is '${message}', expected it to name the session.`,
      );
      using fresh = await runtime.createSession(doubleAndSquare());
      using input = runtime.upload(floats([1], [4]));
      using square = found(await fresh.run({ x: input }, { outputs: ['square'] }), 'square');
      assertClose(await runtime.read(square), [1], [16], 'the square');
    },
  },
];
