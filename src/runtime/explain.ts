import { DeviceError, OutOfMemoryError } from '../errors.ts';

/** What ONNX Runtime, its WebAssembly and JavaScript say when memory ends. */
const NO_MEMORY = /bad_alloc|out of memory|failed to allocate|allocation failed|invalid typed array length/i;

/** A failure of ONNX Runtime as an error of ours: OutOfMemoryError where it says so, otherwise DeviceError. */
export function explainFailure(what: string, error: unknown): DeviceError {
  const message = error instanceof Error ? error.message : String(error);
  if (NO_MEMORY.test(message))
    return new OutOfMemoryError(
      `${what}: there is no memory left (${message}). Close other models, or use a smaller one or a coarser number format.`,
      {
        cause: error,
      },
    );
  return new DeviceError(`${what}: ${message}`, { cause: error });
}
