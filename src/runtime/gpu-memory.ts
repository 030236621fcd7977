import type { Tensor, TensorConstructor } from 'onnxruntime-common';
import { DeviceError, MismatchError, OutOfMemoryError, UnsupportedError } from '../errors.ts';
import type { DataType } from '../onnx/graph.ts';
import {
  bytesOf,
  checkHostTensor,
  checkShape,
  describeType,
  sameShape,
  tensorBytes,
  viewAs,
  zeros,
} from './data-types.ts';
import type { Ledger } from './ledger.ts';
import type { DeviceTensor, HostTensor, TensorArray } from './runtime.ts';
import type { TensorMemory } from './tensor-memory.ts';

/** Types that ONNX Runtime can hold in a GPU buffer. */
const GPU_TYPES = ['float32', 'float16', 'int64', 'int32', 'uint8', 'bool'] as const;
type GpuType = (typeof GPU_TYPES)[number];

/** ONNX Runtime binds and copies buffers in units of 16 bytes. */
const BUFFER_ALIGNMENT = 16;

/** Where the elements of a GPU tensor are. */
export type GpuStorage =
  /** `owner` is who made the buffer. */
  | {
      readonly kind: 'device';
      readonly buffer: GPUBuffer;
      readonly owner: 'espalier' | 'onnxruntime';
      readonly release: () => void;
    }
  /** Uploaded int64 elements: indices, masks and lengths, which ONNX Runtime wants on the host for nearly all that it does with them. */
  | { readonly kind: 'host'; readonly data: TensorArray; readonly move: () => GPUBuffer };

/** A tensor of the WebGPU runtime. Its buffer is destroyed, or handed back to ONNX Runtime where that made it, when the tensor is disposed. */
export class GpuTensor implements DeviceTensor {
  readonly dataType: GpuType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly #ledger: Ledger;
  #storage: GpuStorage | undefined;

  constructor(dataType: GpuType, shape: readonly number[], storage: GpuStorage, ledger: Ledger) {
    this.dataType = dataType;
    this.shape = [...shape];
    this.byteLength = tensorBytes(dataType, shape);
    this.#storage = storage;
    this.#ledger = ledger;
    ledger.tensorMade(this.byteLength);
  }

  get disposed(): boolean {
    return this.#storage === undefined;
  }

  belongsTo(ledger: Ledger): boolean {
    return this.#ledger === ledger;
  }

  /** The elements when they are still on the host. Throws DeviceError after `dispose`. */
  get hostData(): TensorArray | undefined {
    const storage = this.#live();
    return storage.kind === 'host' ? storage.data : undefined;
  }

  /** The buffer, which may be longer than `byteLength`; elements on the host are moved into one first. Throws DeviceError after `dispose`. */
  get buffer(): GPUBuffer {
    const storage = this.#live();
    if (storage.kind === 'device') return storage.buffer;
    const buffer = storage.move();
    this.#storage = ownBuffer(buffer);
    return buffer;
  }

  /** Whether ONNX Runtime made the buffer, so that its handle for it stays the same from run to run. */
  get pinned(): boolean {
    const storage = this.#live();
    return storage.kind === 'device' && storage.owner === 'onnxruntime';
  }

  /** Replaces the storage by one with the same contents. */
  moveTo(storage: GpuStorage): void {
    const old = this.#live();
    this.#storage = storage;
    if (old.kind === 'device') old.release();
  }

  dispose(): void {
    const storage = this.#storage;
    if (!storage) return;
    this.#storage = undefined;
    this.#ledger.tensorDisposed(this.byteLength);
    if (storage.kind === 'device') storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #live(): GpuStorage {
    if (!this.#storage)
      throw new DeviceError(
        `The tensor ${describeType(this.dataType, this.shape)} was disposed and cannot be used. Dispose it after its last use.`,
      );
    return this.#storage;
  }
}

/** Runs its argument when ONNX Runtime is idle. */
export type Defer = (release: () => void) => void;

/** Tensors in buffers of `device`. Buffers that ONNX Runtime made go back to it through `defer`; `pin` see `TensorMemory`. */
export function gpuMemory(
  device: GPUDevice,
  ledger: Ledger,
  TensorClass: TensorConstructor,
  defer: Defer,
  pin: (tensor: GpuTensor) => Promise<void>,
): TensorMemory<GpuTensor> {
  const createBuffer = (type: GpuType, shape: readonly number[], mapped: boolean): GPUBuffer => {
    const size = Math.max(BUFFER_ALIGNMENT, align(tensorBytes(type, shape)));
    if (size > device.limits.maxBufferSize)
      throw new OutOfMemoryError(
        `The tensor ${describeType(type, shape)} takes ${size} bytes, but a buffer of this device holds at most ${device.limits.maxBufferSize}. Use smaller batches, or the cpu or wasm backend.`,
      );
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    try {
      return device.createBuffer({ label: describeType(type, shape), size, usage, mappedAtCreation: mapped });
    } catch (error) {
      // Mapped buffers that find no memory are refused at once, others by an event that the next check tells.
      throw new OutOfMemoryError(
        `No memory was left for the tensor ${describeType(type, shape)} of ${size} bytes. Use shorter texts, or the cpu or wasm backend.`,
        {
          cause: error,
        },
      );
    }
  };
  const fill = (type: GpuType, shape: readonly number[], data: TensorArray): GPUBuffer => {
    const buffer = createBuffer(type, shape, true);
    new Uint8Array(buffer.getMappedRange()).set(bytesOf(data));
    buffer.unmap();
    return buffer;
  };
  const inBuffer = (type: GpuType, shape: readonly number[], buffer: GPUBuffer): GpuTensor =>
    new GpuTensor(type, shape, ownBuffer(buffer), ledger);
  const onGpu = (tensor: GpuTensor): Tensor =>
    TensorClass.fromGpuBuffer(tensor.buffer, { dataType: tensor.dataType, dims: tensor.shape });
  const toOnnx = (tensor: GpuTensor, onDevice: boolean): Tensor => {
    const data = onDevice ? undefined : tensor.hostData;
    return data instanceof BigInt64Array ? new TensorClass('int64', data, tensor.shape) : onGpu(tensor);
  };
  const upload = ({ dataType, shape, data }: HostTensor): GpuTensor => {
    checkHostTensor({ dataType, shape, data });
    const type = gpuType(dataType);
    if (type !== 'int64') return inBuffer(type, shape, fill(type, shape, data));
    const copy = data.slice();
    return new GpuTensor(type, shape, { kind: 'host', data: copy, move: () => fill(type, shape, copy) }, ledger);
  };
  return {
    owns: (tensor): tensor is GpuTensor => tensor instanceof GpuTensor && tensor.belongsTo(ledger),
    upload,
    allocate(dataType, shape) {
      checkShape(shape);
      const type = gpuType(dataType);
      return inBuffer(type, shape, createBuffer(type, shape, false));
    },
    write(tensor, data) {
      const { hostData } = tensor;
      if (hostData) return (hostData as BigInt64Array).set(data as BigInt64Array);
      // Copies are of whole words; what is beyond the elements is never read.
      const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
      bytes.set(bytesOf(data));
      device.queue.writeBuffer(tensor.buffer, 0, bytes);
    },
    read: (tensor) => download(device, tensor),
    toOnnx,
    outputTarget: onGpu,
    pin,
    adopt(result) {
      const type = gpuType(result.type as DataType);
      // ONNX Runtime leaves empty tensors, and only those, on the host.
      if (result.location === 'cpu') return upload({ dataType: type, shape: result.dims, data: zeros(type, 0) });
      return new GpuTensor(type, result.dims, borrowedBuffer(result, defer), ledger);
    },
    store(result, target) {
      if (!sameShape(result.dims, target.shape))
        throw new MismatchError(
          `The result is ${describeType(target.dataType, result.dims)}, but the tensor given to hold it has shape [${target.shape.join(', ')}].`,
        );
    },
  };
}

function ownBuffer(buffer: GPUBuffer): GpuStorage {
  return { kind: 'device', buffer, owner: 'espalier', release: () => buffer.destroy() };
}

/** The buffer of a result that ONNX Runtime allocated, which gets it back through `defer`. */
export function borrowedBuffer(result: Tensor, defer: Defer): GpuStorage {
  return {
    kind: 'device',
    buffer: result.gpuBuffer as GPUBuffer,
    owner: 'onnxruntime',
    release: () => defer(() => result.dispose()),
  };
}

async function download(device: GPUDevice, tensor: GpuTensor): Promise<HostTensor> {
  const { dataType, shape, byteLength, hostData } = tensor;
  if (hostData) return { dataType, shape, data: hostData.slice() };
  if (byteLength === 0) return { dataType, shape, data: zeros(dataType, 0) };
  const size = align(byteLength);
  const staging = device.createBuffer({
    label: `read ${describeType(dataType, shape)}`,
    size,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const encoder = device.createCommandEncoder({ label: 'read' });
    encoder.copyBufferToBuffer(tensor.buffer, 0, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const data: TensorArray = viewAs(dataType, staging.getMappedRange().slice(0, byteLength));
    return { dataType, shape, data };
  } finally {
    staging.destroy();
  }
}

function gpuType(dataType: DataType): GpuType {
  const type = GPU_TYPES.find((candidate) => candidate === dataType);
  if (!type)
    throw new UnsupportedError(
      `WebGPU holds no ${dataType} tensors; use one of ${GPU_TYPES.join(', ')}, or the wasm backend.`,
    );
  return type;
}

function align(bytes: number): number {
  return Math.ceil(bytes / BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT;
}
