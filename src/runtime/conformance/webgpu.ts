import { GraphBuilder } from '../../onnx/builder.ts';
import type { WebGpuRuntime } from '../webgpu-runtime.ts';
import {
  assert,
  assertClose,
  assertEqual,
  assertRejects,
  floats,
  found,
  integers,
  numbers,
  randomTensor,
} from './case.ts';

/** A behaviour of the WebGPU runtime that the others have not. */
export interface WebGpuCase {
  readonly name: string;
  /** `create` makes another runtime of the same kind. */
  run(runtime: WebGpuRuntime, create: () => Promise<WebGpuRuntime>): Promise<void>;
}

function scaleAndAdd() {
  const builder = new GraphBuilder('scale and add');
  const x = builder.input('x', 'float32', [2, 4]);
  const bias = builder.input('bias', 'float32', [4]);
  builder.output(builder.add('Add', [builder.add('Mul', [x, builder.constant([2])]), bias]), 'float32', [2, 4], 'y');
  return builder.build();
}

const DOUBLE = `
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3u) { values[id.x] = values[id.x] * 2.0; }`;

export const WEBGPU_CASES: readonly WebGpuCase[] = [
  {
    name: 'Our own kernels work on tensors between runs',
    async run(runtime) {
      using session = await runtime.createSession(scaleAndAdd());
      using x = runtime.upload(floats([2, 4], [1, 2, 3, 4, 5, 6, 7, 8]));
      using bias = runtime.upload(floats([4], [1, 1, 1, 1]));
      using y = found(await session.run({ x, bias }), 'y');
      await runtime.exclusive((device) => {
        const pipeline = device.createComputePipeline({
          label: 'double',
          layout: 'auto',
          compute: { module: device.createShaderModule({ code: DOUBLE }) },
        });
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        pass.setPipeline(pipeline);
        pass.setBindGroup(
          0,
          device.createBindGroup({
            layout: pipeline.getBindGroupLayout(0),
            entries: [{ binding: 0, resource: { buffer: runtime.bufferOf(y) } }],
          }),
        );
        pass.dispatchWorkgroups(2);
        pass.end();
        device.queue.submit([encoder.finish()]);
      });
      assertClose(await runtime.read(y), [2, 4], [6, 10, 14, 18, 22, 26, 30, 34], 'the doubled result');
      using again = found(await session.run({ x: y, bias }), 'y');
      assertClose(await runtime.read(again), [2, 4], [13, 21, 29, 37, 45, 53, 61, 69], 'the next result');
    },
  },
  {
    name: 'Graph capture replays on new contents, and holds to its tensors',
    async run(runtime) {
      using session = await runtime.createSession(scaleAndAdd(), { graphCapture: true });
      using x = runtime.allocate('float32', [2, 4]);
      using bias = runtime.upload(floats([4], [1, 2, 3, 4]));
      using y = runtime.allocate('float32', [2, 4]);
      for (const seed of [60, 61, 62]) {
        const contents = randomTensor([2, 4], seed);
        await runtime.exclusive((device) =>
          device.queue.writeBuffer(runtime.bufferOf(x), 0, Float32Array.from(numbers(contents))),
        );
        await session.run({ x, bias }, { into: { y } });
        const expected = numbers(contents).map((value, index) => 2 * value + (index % 4) + 1);
        assertClose(await runtime.read(y), [2, 4], expected, 'the replayed result');
      }
      using other = runtime.upload(randomTensor([2, 4], 63));
      await assertRejects(
        () => session.run({ x: other, bias }, { into: { y } }),
        'mismatch',
        'Another tensor in a captured graph',
      );
      await assertRejects(() => session.run({ x, bias }), 'usage', 'A captured graph without a tensor for its output');
    },
  },
  {
    name: 'Integers move to a buffer when a kernel asks for it',
    async run(runtime) {
      using indices = runtime.upload(integers([3], [1, -2, 3]));
      assertEqual(runtime.bufferOf(indices).size, 32, 'The size of the buffer');
      assertEqual(numbers(await runtime.read(indices)), [1, -2, 3], 'The integers');
    },
  },
  {
    name: 'Types that WebGPU cannot hold are refused',
    async run(runtime) {
      await assertRejects(
        () => runtime.upload({ dataType: 'float64', shape: [1], data: new Float64Array(1) }),
        'unsupported',
        'A float64 tensor',
      );
      await assertRejects(
        () => runtime.allocate('float32', [2 ** 20, 2 ** 20]),
        'out-of-memory',
        'A tensor of four tebibytes',
      );
    },
  },
  {
    name: 'Errors of the device reach whoever waits next',
    async run(runtime) {
      using tensor = runtime.upload(floats([1], [1]));
      await runtime.exclusive((device) => {
        const encoder = device.createCommandEncoder();
        encoder.copyBufferToBuffer(runtime.bufferOf(tensor), 0, runtime.bufferOf(tensor), 0, 4);
        device.queue.submit([encoder.finish()]);
      });
      await assertRejects(() => runtime.synchronize(), 'device', 'Waiting after an invalid copy');
      // One mistake may be reported by several events.
      await runtime.synchronize().catch(() => undefined);
      assertClose(await runtime.read(tensor), [1], [1], 'the tensor');
    },
  },
  {
    name: 'A lost device is named, and a new runtime works',
    async run(_, create) {
      const lost = await create();
      using session = await lost.createSession(scaleAndAdd());
      const [x, bias] = [lost.upload(randomTensor([2, 4], 64)), lost.upload(randomTensor([4], 65))];
      lost.device.destroy();
      await lost.device.lost;
      await assertRejects(() => session.run({ x, bias }), 'device-lost', 'A run on a lost device');
      await assertRejects(() => lost.read(x), 'device-lost', 'Reading from a lost device');
      for (const disposable of [x, bias, lost]) disposable.dispose();
      using fresh = await create();
      using tensor = fresh.upload(floats([2], [1, 2]));
      assertClose(await fresh.read(tensor), [2], [1, 2], 'the tensor');
      assert(fresh.description.startsWith('WebGPU on '), `The description is ${fresh.description}.`);
    },
  },
];
