import type { InferenceSession } from 'onnxruntime-common';
import { DeviceError, EspalierError } from '../errors.ts';
import type { DataType, Graph } from '../onnx/graph.ts';
import { writeModel } from '../onnx/write.ts';
import type { Adapter } from './adapter.ts';
import { checkHostTensor, describeType } from './data-types.ts';
import { explainFailure } from './explain.ts';
import type { HelperThreads } from './kernels/helper-threads.ts';
import type { Ledger } from './ledger.ts';
import { SerialQueue } from './queue.ts';
import type {
  Backend,
  DeviceTensor,
  HostTensor,
  Runtime,
  RuntimeStatistics,
  Session,
  SessionOptions,
  TensorArray,
} from './runtime.ts';
import { type Behaviour, OnnxSession } from './session.ts';
import type { TensorMemory } from './tensor-memory.ts';

/** What a session is compiled from, once a graph has become bytes. */
export type SerializedModel = Uint8Array | { readonly path: string };

export type CreateInnerSession = (model: SerializedModel, options: SessionOptions) => Promise<InferenceSession>;

/** The parts in which the runtimes differ. */
export interface RuntimeParts<Owned extends DeviceTensor> {
  readonly backend: Backend;
  readonly adapter?: Adapter;
  readonly description: string;
  readonly memory: TensorMemory<Owned>;
  readonly ledger: Ledger;
  readonly create: CreateInnerSession;
  readonly behaviour: Behaviour;
  readonly helpers?: HelperThreads | undefined;
  /** Default: a queue of its own. */
  readonly queue?: SerialQueue;
}

/** The `Runtime` that all backends share: one queue for session creation, runs and reads; owned sessions; counters. */
export class OnnxRuntime<Owned extends DeviceTensor> implements Runtime {
  readonly backend: Backend;
  readonly adapter: Adapter | undefined;
  readonly description: string;
  readonly helpers: HelperThreads | undefined;
  protected readonly queue: SerialQueue;
  protected readonly memory: TensorMemory<Owned>;
  readonly #ledger: Ledger;
  readonly #create: CreateInnerSession;
  readonly #behaviour: Behaviour;
  readonly #sessions = new Set<Session>();
  readonly peek?: (tensor: DeviceTensor) => TensorArray;
  #disposed = false;

  constructor(parts: RuntimeParts<Owned>) {
    this.backend = parts.backend;
    this.adapter = parts.adapter;
    this.description = parts.description;
    this.helpers = parts.helpers;
    const { peek } = parts.memory;
    if (peek) this.peek = (tensor) => peek(this.owned(tensor));
    this.memory = parts.memory;
    this.#ledger = parts.ledger;
    this.#create = parts.create;
    this.#behaviour = parts.behaviour;
    this.queue = parts.queue ?? new SerialQueue();
  }

  async createSession(model: Graph | SerializedModel, options: SessionOptions = {}): Promise<Session> {
    this.#checkLive();
    const label = options.label ?? labelOf(model);
    const serialized = 'nodes' in model ? writeModel(model) : model;
    const inner = await this.queue
      .run(() => this.#create(serialized, { ...options, label }))
      .catch((error: unknown) => {
        if (error instanceof EspalierError) throw error;
        this.#behaviour.check?.(`Compiling ${label}`);
        throw explainFailure(`${label} could not be compiled for ${this.description}`, error);
      });
    const session = new OnnxSession(
      inner,
      { memory: this.memory, queue: this.queue, ledger: this.#ledger, behaviour: this.#behaviour },
      { label, graphCapture: this.backend === 'webgpu' && options.graphCapture === true },
    );
    this.#sessions.add(session);
    return session;
  }

  upload(tensor: HostTensor): DeviceTensor {
    this.#checkLive();
    return this.memory.upload(tensor);
  }

  allocate(dataType: DataType, shape: readonly number[]): DeviceTensor {
    this.#checkLive();
    return this.memory.allocate(dataType, shape);
  }

  async write(tensor: DeviceTensor, data: TensorArray): Promise<void> {
    this.#checkLive();
    const owned = this.owned(tensor);
    checkHostTensor({ dataType: owned.dataType, shape: owned.shape, data });
    const copy = data.slice();
    return this.queue.run(async () => this.memory.write(owned, copy));
  }

  async read(tensor: DeviceTensor): Promise<HostTensor> {
    this.#checkLive();
    const owned = this.owned(tensor);
    return this.queue.run(async () => {
      const during = `Reading ${describeType(owned.dataType, owned.shape)}`;
      const copy = await this.memory.read(owned).catch((error: unknown) => {
        this.#behaviour.check?.(during);
        throw error instanceof EspalierError
          ? error
          : new DeviceError(`${during} failed: ${error instanceof Error ? error.message : String(error)}`, {
              cause: error,
            });
      });
      this.#behaviour.check?.(during);
      return copy;
    });
  }

  async synchronize(): Promise<void> {
    await this.queue.idle();
  }

  statistics(): RuntimeStatistics {
    return this.#ledger.statistics();
  }

  resetPeak(): void {
    this.#ledger.resetPeak();
  }

  /** `tensor` as this runtime's own. Throws DeviceError when another runtime made it. */
  protected owned(tensor: DeviceTensor): Owned {
    if (!this.memory.owns(tensor))
      throw new DeviceError(
        `The tensor ${describeType(tensor.dataType, tensor.shape)} was made by another runtime and cannot be used by ${this.description}.`,
      );
    return tensor;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const session of this.#sessions) session.dispose();
    this.#sessions.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #checkLive(): void {
    if (this.#disposed) throw new DeviceError(`The runtime ${this.description} was disposed and cannot be used.`);
  }
}

function labelOf(model: Graph | SerializedModel): string {
  if ('nodes' in model) return model.name;
  return 'path' in model ? model.path : 'model';
}
