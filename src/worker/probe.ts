import { DeviceError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Runtime } from '../runtime/runtime.ts';

/** Runs one small graph, so that a backend is only called ready when it has computed something right. Throws DeviceError otherwise. Returns the runtime. */
export async function probed(runtime: Runtime): Promise<Runtime> {
  const builder = new GraphBuilder('probe');
  const input = builder.input('input', 'float32', [2]);
  builder.output(builder.add('Add', [input, input]), 'float32', [2], 'output');
  using session = await runtime.createSession(builder.build(), { label: 'probe' });
  using values = runtime.upload({ dataType: 'float32', shape: [2], data: Float32Array.of(1, -3) });
  const { output } = await session.run({ input: values });
  if (!output) throw new DeviceError(`${runtime.description} returned nothing for a first small graph.`);
  using result = output;
  const { data } = await runtime.read(result);
  if (data[0] !== 2 || data[1] !== -6)
    throw new DeviceError(
      `${runtime.description} computed 2 x [1, -3] as [${data[0]}, ${data[1]}]; it cannot be trusted.`,
    );
  return runtime;
}
