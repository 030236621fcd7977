import { DeviceError } from '../errors.ts';

/** Watches a device: WebGPU reports most failures later and elsewhere. `check` turns what was reported into an error where someone waits for a result. */
export class GpuHealth {
  #lost: string | undefined;
  #error: string | undefined;

  constructor(device: GPUDevice) {
    void device.lost.then((info) => {
      this.#lost = info.reason === 'destroyed' ? 'the runtime was disposed' : info.message || 'the browser gave no reason';
    });
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#error ??= explain(event.error);
    });
  }

  /** Throws DeviceError when the device is lost, or once for an error that was reported since the last check. */
  check(during: string): void {
    if (this.#lost !== undefined)
      throw new DeviceError(
        `${during}: the graphics device was lost (${this.#lost}). Create a new runtime; if it happens again, use smaller batches or the wasm backend.`,
      );
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw new DeviceError(`${during}: the graphics device reported: ${error}`);
  }
}

function explain(error: GPUError): string {
  return error instanceof GPUOutOfMemoryError ? `out of memory (${error.message || 'no detail'}); use smaller batches or shorter windows.` : error.message;
}
