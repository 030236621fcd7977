import { GraphBuilder } from '../../onnx/builder.ts';
import {
  assert,
  assertClose,
  assertEqual,
  assertRejects,
  type ConformanceCase,
  evaluate,
  floats,
  found,
  integers,
  numbers,
  randomTensor,
} from './case.ts';

function negate() {
  const builder = new GraphBuilder('negate');
  builder.output(builder.add('Neg', [builder.input('x', 'float32', ['n'])]), 'float32', ['n'], 'y');
  return builder.build();
}

export const OWNERSHIP_CASES: readonly ConformanceCase[] = [
  {
    name: 'Upload and read copy every type unchanged',
    async run(runtime) {
      const originals = [
        floats([2, 3], [1, -2, 0.5, 1e-30, 3e30, -0]),
        { dataType: 'float16', shape: [5], data: Uint16Array.of(0x3c00, 0xc000, 0x7bff, 1, 0) },
        { dataType: 'int64', shape: [2], data: BigInt64Array.of(-(2n ** 60n), 9n) },
        { dataType: 'int32', shape: [3], data: Int32Array.of(1, -2, 2 ** 31 - 1) },
        { dataType: 'uint8', shape: [7], data: Uint8Array.of(1, 2, 3, 4, 5, 6, 255) },
        { dataType: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
      ] as const;
      for (const original of originals) {
        using tensor = runtime.upload(original);
        const copy = await runtime.read(tensor);
        assertEqual(
          [copy.dataType, copy.shape, copy.data.toString()],
          [original.dataType, original.shape, original.data.toString()],
          'The copy',
        );
        assert(copy.data !== original.data, 'Reading gave the original array.');
      }
    },
  },
  {
    name: 'Later changes of an uploaded or read array change nothing',
    async run(runtime) {
      const original = floats([2], [1, 2]);
      using tensor = runtime.upload(original);
      original.data.fill(7 as never);
      (await runtime.read(tensor)).data.fill(8 as never);
      assertClose(await runtime.read(tensor), [2], [1, 2], 'the tensor');
    },
  },
  {
    name: 'Writing replaces the elements that later runs read',
    async run(runtime) {
      using session = await runtime.createSession(negate());
      using allocated = runtime.allocate('float32', [3]);
      using uploaded = runtime.upload(integers([2], [1, 2]));
      for (const values of [[1, 2, 3] as const, [4, 5, 6] as const]) {
        const source = Float32Array.from(values);
        const written = runtime.write(allocated, source);
        source.fill(9);
        await written;
        using result = found(await session.run({ x: allocated }), 'y');
        assertClose(
          await runtime.read(result),
          [3],
          values.map((value) => -value),
          'the result',
        );
      }
      await runtime.write(uploaded, BigInt64Array.of(-7n, 8n));
      assertEqual(numbers(await runtime.read(uploaded)), [-7, 8], 'The integers');
      await assertRejects(() => runtime.write(allocated, new Float32Array(2)), 'mismatch', 'Two elements for three');
      await assertRejects(() => runtime.write(allocated, new Int32Array(3)), 'mismatch', 'Integers for floats');
    },
  },
  {
    name: 'Allocated tensors are zero',
    async run(runtime) {
      using tensor = runtime.allocate('float32', [3, 5]);
      assertEqual(tensor.byteLength, 60, 'The byte length');
      assertClose(await runtime.read(tensor), [3, 5], new Array(15).fill(0), 'the tensor');
    },
  },
  {
    name: 'Arrays that do not fit their type or shape are refused',
    async run(runtime) {
      await assertRejects(
        () => runtime.upload({ dataType: 'float32', shape: [3], data: new Float32Array(2) }),
        'mismatch',
        'Two elements for a shape of three',
      );
      await assertRejects(
        () => runtime.upload({ dataType: 'float32', shape: [2], data: new Int32Array(2) }),
        'mismatch',
        'Integers for floats',
      );
      await assertRejects(() => runtime.allocate('float32', [-1]), 'mismatch', 'A negative size');
    },
  },
  {
    name: 'Nothing works after dispose',
    async run(runtime) {
      const session = await runtime.createSession(negate());
      const tensor = runtime.upload(floats([1], [1]));
      using live = runtime.upload(floats([1], [1]));
      tensor.dispose();
      tensor.dispose();
      assert(tensor.disposed, 'A disposed tensor does not say so.');
      await assertRejects(() => runtime.read(tensor), 'device', 'Reading a disposed tensor');
      await assertRejects(() => session.run({ x: tensor }), 'device', 'Running on a disposed tensor');
      await assertRejects(
        () => session.run({ x: live }, { into: { y: tensor } }),
        'device',
        'Running into a disposed tensor',
      );
      session.dispose();
      session.dispose();
      await assertRejects(() => session.run({ x: live }), 'device', 'Running a disposed session');
    },
  },
  {
    name: 'A hundred runs leave no tensor behind',
    async run(runtime) {
      const before = runtime.statistics();
      runtime.resetPeak();
      using session = await runtime.createSession(negate());
      for (let turn = 0; turn < 100; turn++) {
        using x = runtime.upload(floats([4], [turn, 1, 2, 3]));
        using y = found(await session.run({ x }), 'y');
        if (turn % 50 === 0) assertEqual(numbers(await runtime.read(y))[0], -turn || 0, 'The first element');
      }
      const after = runtime.statistics();
      assertEqual(
        [after.liveTensors, after.liveBytes],
        [before.liveTensors, before.liveBytes],
        'Live tensors and bytes',
      );
      assertEqual(after.peakBytes, before.liveBytes + 32, 'The peak in bytes');
      assertEqual(after.runs - before.runs, 100, 'The number of runs');
    },
  },
  {
    name: 'Initializers and external data are part of a session, not tensors',
    async run(runtime) {
      const before = runtime.statistics().liveTensors;
      const builder = new GraphBuilder('external');
      const weight = builder.initializer('weight', {
        dataType: 'float32',
        shape: [2, 2],
        contents: { kind: 'external', location: 'weights.bin', offset: 16, length: 16 },
      });
      const indices = builder.input('indices', 'int64', ['n']);
      builder.output(builder.add('Gather', [weight, indices], { axis: 0 }), 'float32', ['n', 2], 'rows');
      const bytes = new Uint8Array(Float32Array.of(9, 9, 9, 9, 1, 2, 3, 4).buffer);
      for (const file of [bytes, new Blob([bytes])]) {
        using session = await runtime.createSession(builder.build(), { externalData: { 'weights.bin': file } });
        using input = runtime.upload(integers([3], [1, 0, 1]));
        using rows = found(await session.run({ indices: input }), 'rows');
        assertClose(await runtime.read(rows), [3, 2], [3, 4, 1, 2, 3, 4], 'the rows');
      }
      assertEqual(runtime.statistics().liveTensors, before, 'Live tensors');
    },
  },
  {
    name: 'Graphs give the same numbers at every optimisation level',
    async run(runtime) {
      const x = randomTensor([4, 8], 29);
      const outcomes = [];
      for (const optimization of ['disabled', 'basic', 'extended', 'all'] as const) {
        const results = await evaluate(
          runtime,
          { x },
          (builder) =>
            builder.output(
              builder.add('Softmax', [builder.add('Mul', ['x', builder.add('Sigmoid', ['x'])])], { axis: -1 }),
              'float32',
              [4, 8],
              'y',
            ),
          { optimization },
        );
        outcomes.push(found(results, 'y'));
      }
      const [plain, ...others] = outcomes;
      assert(plain !== undefined, 'There is no outcome.');
      for (const other of others) assertClose(other, [4, 8], numbers(plain), 'the optimised result', 1e-6);
    },
  },
];
