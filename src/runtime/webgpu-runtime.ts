import type { InferenceSession, TensorConstructor } from 'onnxruntime-common';
import { GraphBuilder } from '../onnx/builder.ts';
import { writeModel } from '../onnx/write.ts';
import type { Adapter } from './adapter.ts';
import { BufferPinner } from './buffer-pinner.ts';
import { GpuHealth } from './gpu-health.ts';
import { type GpuTensor, gpuMemory } from './gpu-memory.ts';
import { Ledger } from './ledger.ts';
import { type CreateInnerSession, OnnxRuntime } from './onnx-runtime.ts';
import type { SerialQueue } from './queue.ts';
import type { DeviceTensor } from './runtime.ts';

export interface WebGpuParts {
  readonly device: GPUDevice;
  readonly adapter: Adapter;
  /** Vendor and architecture of the adapter. */
  readonly description: string;
  readonly queue: SerialQueue;
  readonly create: CreateInnerSession;
  readonly TensorClass: TensorConstructor;
  /** Called once the device is given back. */
  readonly onDispose?: () => void;
}

/** The runtime on WebGPU. Hand-written kernels use its device, and its tensors' buffers, inside `exclusive`. */
export class WebGpuRuntime extends OnnxRuntime<GpuTensor> {
  readonly device: GPUDevice;
  readonly #health: GpuHealth;
  readonly #create: CreateInnerSession;
  readonly #pinner: BufferPinner;
  readonly #onDispose: () => void;
  #anchor: InferenceSession | undefined;

  constructor({ device, adapter, description, queue, create, TensorClass, onDispose }: WebGpuParts) {
    const ledger = new Ledger();
    const health = new GpuHealth(device);
    const defer = (release: () => void) => void queue.run(release);
    const pinner = new BufferPinner(create, TensorClass, defer);
    super({
      backend: 'webgpu',
      adapter,
      description: `WebGPU on ${description}`,
      memory: gpuMemory(device, ledger, TensorClass, defer, (tensor) => pinner.pin(tensor)),
      ledger,
      queue,
      create,
      behaviour: { survivesFailure: false, check: (during) => health.check(during) },
    });
    this.device = device;
    this.#health = health;
    this.#create = create;
    this.#pinner = pinner;
    this.#onDispose = onDispose ?? (() => {});
  }

  /**
   * Holds one small session for the runtime's life: ONNX Runtime's context for a device, with its compiled pipelines and buffers, ends with the last session.
   * Called once by `createWebRuntime`.
   */
  async start(): Promise<void> {
    const builder = new GraphBuilder('anchor');
    builder.output(builder.add('Neg', [builder.input('input', 'float32', [1])]), 'float32', [1], 'output');
    const model = writeModel(builder.build());
    this.#anchor = await this.queue.run(() => this.#create(model, { label: 'anchor' }));
  }

  /** Runs `work` while no session is created or run. It may encode and submit commands, and must not call the runtime's queued methods. */
  exclusive<Result>(work: (device: GPUDevice) => Result | Promise<Result>): Promise<Result> {
    return this.queue.run(async () => {
      this.#health.check('Before our own kernels');
      return work(this.device);
    });
  }

  /** The GPU buffer of a tensor of this runtime; its first `byteLength` bytes are the elements. Throws DeviceError for a disposed or foreign tensor. */
  bufferOf(tensor: DeviceTensor): GPUBuffer {
    return this.owned(tensor).buffer;
  }

  override async synchronize(): Promise<void> {
    await super.synchronize();
    await this.queue.run(() => this.device.queue.onSubmittedWorkDone());
    this.#health.check('Waiting for the device');
  }

  override dispose(): void {
    super.dispose();
    void this.queue.run(async () => {
      // A lost device may refuse; then there is nothing left to release.
      await this.#pinner.release().catch(() => undefined);
      await this.#anchor?.release().catch(() => undefined);
      this.#anchor = undefined;
      this.device.destroy();
      this.#onDispose();
    });
  }
}
