import { DeviceError, DeviceLostError, OutOfMemoryError } from '../errors.ts';

/** Watches a device: WebGPU reports most failures later and elsewhere. `check` turns what was reported into an error where someone waits for a result. */
export class GpuHealth {
  #lost: string | undefined;
  #error: GPUError | undefined;

  constructor(device: GPUDevice) {
    void device.lost.then((info) => {
      this.#lost = info.reason === 'destroyed' ? 'it was destroyed' : info.message || 'the browser gave no reason';
    });
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#error ??= event.error;
    });
  }

  /** Throws DeviceLostError when the device is lost, or once OutOfMemoryError or DeviceError for an error that was reported since the last check. */
  check(during: string): void {
    if (this.#lost !== undefined)
      throw new DeviceLostError(
        `${during}: the graphics device was lost (${this.#lost}). Start again; if it happens again, use smaller batches or the cpu or wasm backend.`,
      );
    const error = this.#error;
    this.#error = undefined;
    if (!error) return;
    if (error instanceof GPUOutOfMemoryError)
      throw new OutOfMemoryError(
        `${during}: the graphics device is out of memory (${error.message || 'no detail'}). Use shorter texts or a smaller model, or the cpu or wasm backend.`,
      );
    throw new DeviceError(`${during}: the graphics device reported: ${error.message}`);
  }
}
