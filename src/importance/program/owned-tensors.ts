import type { DeviceTensor } from '../../runtime/runtime.ts';

/** Tensors of a piece of work: whatever it has not freed by itself is freed at its end, however it ends. */
export class OwnedTensors implements Disposable {
  readonly #tensors = new Set<DeviceTensor>();

  own<Tensor extends DeviceTensor>(tensor: Tensor): Tensor {
    this.#tensors.add(tensor);
    return tensor;
  }

  free(tensors: Iterable<DeviceTensor>): void {
    for (const tensor of tensors) {
      tensor.dispose();
      this.#tensors.delete(tensor);
    }
  }

  [Symbol.dispose](): void {
    this.free([...this.#tensors]);
  }
}
