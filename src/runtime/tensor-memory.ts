import type { Tensor } from 'onnxruntime-common';
import type { DataType } from '../onnx/graph.ts';
import type { DeviceTensor, HostTensor, TensorArray } from './runtime.ts';

/** Where a backend keeps its tensors, and how they become ONNX Runtime's. `session.ts` runs on any of these. */
export interface TensorMemory<Owned extends DeviceTensor> {
  /** Whether `tensor` was made by this memory (disposed or not). */
  owns(tensor: DeviceTensor): tensor is Owned;
  upload(tensor: HostTensor): Owned;
  allocate(dataType: DataType, shape: readonly number[]): Owned;
  read(tensor: Owned): Promise<HostTensor>;
  /** The elements themselves, where they lie in host memory. */
  readonly peek?: (tensor: Owned) => TensorArray;
  /** Replaces the elements; type and length were checked. */
  write(tensor: Owned, data: TensorArray): void;
  /** The same memory as ONNX Runtime's tensor; with `onDevice` surely in device memory. Throws DeviceError when it was disposed. */
  toOnnx(tensor: Owned, onDevice: boolean): Tensor;
  /** What to give ONNX Runtime so that it writes into `tensor`; null when it cannot, and `store` copies afterwards. */
  outputTarget(tensor: Owned): Tensor | null;
  /** Makes sure that ONNX Runtime knows the tensor by the same handle in every run, as graph capture needs. Called while ONNX Runtime is idle. */
  pin?(tensor: Owned): Promise<void>;
  /** Takes over a tensor that ONNX Runtime allocated. */
  adopt(result: Tensor): Owned;
  /** Finishes an output that had a target. Throws MismatchError when type or shape differ. */
  store(result: Tensor, target: Owned): void;
}
