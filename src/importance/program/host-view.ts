import type { DeviceTensor, Runtime } from '../../runtime/runtime.ts';

/** The float32 elements of a tensor for reading at once: themselves where they lie in host memory, else a copy. */
export async function elementsOf(runtime: Runtime, tensor: DeviceTensor): Promise<Float32Array> {
  return (runtime.peek ? runtime.peek(tensor) : (await runtime.read(tensor)).data) as Float32Array;
}
