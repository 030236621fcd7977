import type { Tensor, TensorConstructor } from 'onnxruntime-web/webgpu';
import { DeviceError, MismatchError, UnsupportedError } from '../errors.ts';
import type { DataType } from '../onnx/graph.ts';
import { bytesOf, checkHostTensor, checkShape, describeType, sameShape, tensorBytes, viewAs, zeros } from './data-types.ts';
import type { Ledger } from './ledger.ts';
import type { DeviceTensor, HostTensor, TensorArray } from './runtime.ts';
import type { TensorMemory } from './tensor-memory.ts';

/** Types that ONNX Runtime can hold in a GPU buffer. */
const GPU_TYPES = ['float32', 'float16', 'int64', 'int32', 'uint8', 'bool'] as const;
type GpuType = (typeof GPU_TYPES)[number];

/** ONNX Runtime binds and copies buffers in units of 16 bytes. */
const BUFFER_ALIGNMENT = 16;

/** A tensor in a GPU buffer. The buffer is destroyed, or handed back to ONNX Runtime where that made it, when the tensor is disposed. */
export class GpuTensor implements DeviceTensor {
  readonly dataType: GpuType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly #ledger: Ledger;
  readonly #release: () => void;
  #buffer: GPUBuffer | undefined;

  constructor(dataType: GpuType, shape: readonly number[], buffer: GPUBuffer, ledger: Ledger, release: () => void) {
    this.dataType = dataType;
    this.shape = [...shape];
    this.byteLength = tensorBytes(dataType, shape);
    this.#buffer = buffer;
    this.#ledger = ledger;
    this.#release = release;
    ledger.tensorMade(this.byteLength);
  }

  get disposed(): boolean {
    return this.#buffer === undefined;
  }

  belongsTo(ledger: Ledger): boolean {
    return this.#ledger === ledger;
  }

  /** The buffer itself; it may be longer than `byteLength`. Throws DeviceError after `dispose`. */
  get buffer(): GPUBuffer {
    if (!this.#buffer)
      throw new DeviceError(`The tensor ${describeType(this.dataType, this.shape)} was disposed and cannot be used. Dispose it after its last use.`);
    return this.#buffer;
  }

  dispose(): void {
    if (!this.#buffer) return;
    this.#buffer = undefined;
    this.#ledger.tensorDisposed(this.byteLength);
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Tensors in buffers of `device`. Buffers that ONNX Runtime made go back to it through `defer`, which must run its argument when ONNX Runtime is idle.
 */
export function gpuMemory(device: GPUDevice, ledger: Ledger, TensorClass: TensorConstructor, defer: (release: () => void) => void): TensorMemory<GpuTensor> {
  const make = (dataType: DataType, shape: readonly number[], mapped: boolean): GpuTensor => {
    checkShape(shape);
    const type = gpuType(dataType);
    const size = Math.max(BUFFER_ALIGNMENT, align(tensorBytes(type, shape)));
    if (size > device.limits.maxBufferSize)
      throw new DeviceError(
        `The tensor ${describeType(type, shape)} takes ${size} bytes, but a buffer of this device holds at most ${device.limits.maxBufferSize}. Use smaller batches, or the wasm backend.`,
      );
    const buffer = device.createBuffer({
      label: describeType(type, shape),
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      mappedAtCreation: mapped,
    });
    return new GpuTensor(type, shape, buffer, ledger, () => buffer.destroy());
  };
  const toOnnx = (tensor: GpuTensor): Tensor => TensorClass.fromGpuBuffer(tensor.buffer, { dataType: tensor.dataType, dims: tensor.shape });
  const upload = (tensor: HostTensor): GpuTensor => {
    checkHostTensor(tensor);
    const uploaded = make(tensor.dataType, tensor.shape, true);
    new Uint8Array(uploaded.buffer.getMappedRange()).set(bytesOf(tensor.data));
    uploaded.buffer.unmap();
    return uploaded;
  };
  return {
    owns: (tensor): tensor is GpuTensor => tensor instanceof GpuTensor && tensor.belongsTo(ledger),
    upload,
    allocate: (dataType, shape) => make(dataType, shape, false),
    read: (tensor) => download(device, tensor),
    toOnnx,
    outputTarget: toOnnx,
    adopt(result) {
      const type = gpuType(result.type as DataType);
      // ONNX Runtime leaves empty tensors, and only those, on the host.
      if (result.location === 'cpu') return upload({ dataType: type, shape: result.dims, data: zeros(type, 0) });
      return new GpuTensor(type, result.dims, result.gpuBuffer as GPUBuffer, ledger, () => defer(() => result.dispose()));
    },
    store(result, target) {
      if (!sameShape(result.dims, target.shape))
        throw new MismatchError(
          `The result is ${describeType(target.dataType, result.dims)}, but the tensor given to hold it has shape [${target.shape.join(', ')}].`,
        );
    },
  };
}

async function download(device: GPUDevice, tensor: GpuTensor): Promise<HostTensor> {
  const { dataType, shape, byteLength } = tensor;
  if (byteLength === 0) return { dataType, shape, data: zeros(dataType, 0) };
  const size = align(byteLength);
  const staging = device.createBuffer({ label: `read ${describeType(dataType, shape)}`, size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
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
  if (!type) throw new UnsupportedError(`WebGPU holds no ${dataType} tensors; use one of ${GPU_TYPES.join(', ')}, or the wasm backend.`);
  return type;
}

function align(bytes: number): number {
  return Math.ceil(bytes / BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT;
}
