import type { InferenceSession, TensorConstructor } from 'onnxruntime-common';
import { GraphBuilder } from '../onnx/builder.ts';
import { writeModel } from '../onnx/write.ts';
import { borrowedBuffer, type Defer, type GpuTensor } from './gpu-memory.ts';
import type { CreateInnerSession } from './onnx-runtime.ts';

/**
 * Moves tensors into buffers of ONNX Runtime's own. onnxruntime-web 1.30 forgets its handle for a buffer of ours after each run, while a captured
 * graph stays bound to the handle of its first run; handles of its own buffers live as long as the tensor.
 */
export class BufferPinner {
  readonly #create: CreateInnerSession;
  readonly #TensorClass: TensorConstructor;
  readonly #defer: Defer;
  readonly #sessions = new Map<string, InferenceSession>();

  constructor(create: CreateInnerSession, TensorClass: TensorConstructor, defer: Defer) {
    this.#create = create;
    this.#TensorClass = TensorClass;
    this.#defer = defer;
  }

  async pin(tensor: GpuTensor): Promise<void> {
    if (tensor.pinned) return;
    const { dataType, shape, buffer } = tensor;
    const session = await this.#copier(dataType, shape.length);
    const { copy } = await session.run({
      original: this.#TensorClass.fromGpuBuffer(buffer, { dataType, dims: shape }),
    });
    if (copy?.location === 'gpu-buffer') tensor.moveTo(borrowedBuffer(copy, this.#defer));
  }

  async release(): Promise<void> {
    for (const session of this.#sessions.values()) await session.release();
    this.#sessions.clear();
  }

  async #copier(dataType: GpuTensor['dataType'], rank: number): Promise<InferenceSession> {
    const key = `${dataType} of rank ${rank}`;
    const known = this.#sessions.get(key);
    if (known) return known;
    const builder = new GraphBuilder('copy');
    const shape = Array.from({ length: rank }, (_, axis) => `size${axis}`);
    builder.output(builder.add('Identity', [builder.input('original', dataType, shape)]), dataType, shape, 'copy');
    const session = await this.#create(writeModel(builder.build()), { label: `copy ${key}` });
    this.#sessions.set(key, session);
    return session;
  }
}
