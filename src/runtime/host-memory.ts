import type { Tensor, TensorConstructor } from 'onnxruntime-common';
import { elementCount } from '../arrays.ts';
import { DeviceError, MismatchError } from '../errors.ts';
import type { DataType } from '../onnx/graph.ts';
import { checkHostTensor, checkShape, describeType, sameShape, tensorBytes, viewAs, zeros } from './data-types.ts';
import type { Ledger } from './ledger.ts';
import type { DeviceTensor, HostTensor, TensorArray } from './runtime.ts';
import type { TensorMemory } from './tensor-memory.ts';

/** A tensor of the backends that compute in host memory. Disposing it drops the reference; the garbage collector frees the bytes. */
class HostMemoryTensor implements DeviceTensor {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly #ledger: Ledger;
  #data: TensorArray | undefined;
  #onnx: Tensor | undefined;

  constructor(dataType: DataType, shape: readonly number[], data: TensorArray, ledger: Ledger) {
    this.dataType = dataType;
    this.shape = [...shape];
    this.byteLength = tensorBytes(dataType, shape);
    this.#data = data;
    this.#ledger = ledger;
    ledger.tensorMade(this.byteLength);
  }

  get disposed(): boolean {
    return this.#data === undefined;
  }

  belongsTo(ledger: Ledger): boolean {
    return this.#ledger === ledger;
  }

  /** The elements themselves, not a copy. Throws DeviceError after `dispose`. */
  get data(): TensorArray {
    if (!this.#data)
      throw new DeviceError(
        `The tensor ${describeType(this.dataType, this.shape)} was disposed and cannot be used. Dispose it after its last use.`,
      );
    return this.#data;
  }

  /** The same memory as ONNX Runtime's tensor, made once: a cache stands in every run. */
  asOnnx(TensorClass: TensorConstructor): Tensor {
    const { data } = this;
    this.#onnx ??= new TensorClass(this.dataType, data as Float32Array, this.shape);
    return this.#onnx;
  }

  dispose(): void {
    if (!this.#data) return;
    this.#data = undefined;
    this.#onnx = undefined;
    this.#ledger.tensorDisposed(this.byteLength);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Tensors in host memory for the 'cpu' and 'wasm' backends.
 * `TensorClass` is that of the runtime package which will be fed (each package checks for its own). `writesInPlace` says whether that runtime writes
 * pre-allocated outputs itself: onnxruntime-node does; onnxruntime-web copies results out of its own heap, so there they are copied once more.
 */
export function hostMemory(
  ledger: Ledger,
  TensorClass: TensorConstructor,
  writesInPlace: boolean,
): TensorMemory<HostMemoryTensor> {
  const toOnnx = (tensor: HostMemoryTensor): Tensor => tensor.asOnnx(TensorClass);
  return {
    owns: (tensor): tensor is HostMemoryTensor => tensor instanceof HostMemoryTensor && tensor.belongsTo(ledger),
    upload(tensor: HostTensor) {
      checkHostTensor(tensor);
      return new HostMemoryTensor(tensor.dataType, tensor.shape, tensor.data.slice(), ledger);
    },
    allocate(dataType, shape) {
      checkShape(shape);
      return new HostMemoryTensor(dataType, shape, zeros(dataType, elementCount(shape)), ledger);
    },
    write(tensor, data) {
      (tensor.data as Uint8Array).set(data as Uint8Array);
    },
    async read(tensor) {
      return { dataType: tensor.dataType, shape: tensor.shape, data: tensor.data.slice() };
    },
    peek: (tensor) => tensor.data,
    toOnnx,
    outputTarget: (tensor) => (writesInPlace ? toOnnx(tensor) : null),
    adopt(result) {
      const array = result.data as TensorArray;
      const data = viewAs(result.type as DataType, array.buffer, array.byteOffset, array.length);
      return new HostMemoryTensor(result.type as DataType, result.dims, data, ledger);
    },
    store(result, target) {
      if (writesInPlace) return;
      if (result.type !== target.dataType || !sameShape(result.dims, target.shape))
        throw new MismatchError(
          `The result is ${describeType(result.type as DataType, result.dims)}, but the tensor given to hold it is ${describeType(target.dataType, target.shape)}.`,
        );
      const array = result.data as TensorArray;
      const elements = viewAs(target.dataType, array.buffer, array.byteOffset, array.length);
      (target.data as Uint8Array).set(elements as Uint8Array);
    },
  };
}
