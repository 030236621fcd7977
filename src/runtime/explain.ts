import { DeviceError, OutOfMemoryError } from '../errors.ts';

/** What ONNX Runtime says of external data that is missing, and that is too short. */
const NO_DATA = /External data path does not exist: "([^"]+)"/;
const CUT_DATA = /External initializer: (\S+) offset: .* out of bounds/;

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
  const [, missing] = NO_DATA.exec(message) ?? [];
  if (missing !== undefined)
    return new DeviceError(`${what}: its weights are not there (${missing}). Put that file beside the model.`, {
      cause: error,
    });
  const [, tensor] = CUT_DATA.exec(message) ?? [];
  if (tensor !== undefined)
    return new DeviceError(
      `${what}: its file of weights ends before ${tensor}, so that it is cut short or of another model. Take both files again.`,
      { cause: error },
    );
  return new DeviceError(`${what}: ${message}`, { cause: error });
}
