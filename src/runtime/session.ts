import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { DeviceError, EspalierError, MismatchError, MissingError, OutOfMemoryError } from '../errors.ts';
import type { DataType, ValueInfo } from '../onnx/graph.ts';
import { describeType } from './data-types.ts';
import { explainFailure } from './explain.ts';
import { FixedBindings } from './fixed-bindings.ts';
import type { Ledger } from './ledger.ts';
import type { SerialQueue } from './queue.ts';
import type { DeviceTensor, Session } from './runtime.ts';
import type { TensorMemory } from './tensor-memory.ts';

/** What differs between ONNX Runtime's packages. */
export interface Behaviour {
  /** Whether a session runs correctly after a run of it has failed (onnxruntime-web keeps the failed run's bindings with GPU tensors). */
  readonly survivesFailure: boolean;
  /** Throws when the device has reported an error that belongs to no call. */
  readonly check?: (during: string) => void;
}

/** What a session shares with its runtime. */
export interface SessionHost<Owned extends DeviceTensor> {
  readonly memory: TensorMemory<Owned>;
  readonly queue: SerialQueue;
  readonly ledger: Ledger;
  readonly behaviour: Behaviour;
}

export interface OnnxSessionOptions {
  /** Shown in errors. */
  readonly label: string;
  readonly graphCapture: boolean;
}

type Tensors = Readonly<Record<string, DeviceTensor>>;

/** An ONNX Runtime session behind the `Session` interface: checks what it is given, queues its runs, hands out owned tensors. */
export class OnnxSession<Owned extends DeviceTensor> implements Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly label: string;
  readonly #inner: InferenceSession;
  readonly #host: SessionHost<Owned>;
  readonly #fixed: FixedBindings | undefined;
  /** Places of names, found without a search: a decoder has some 60 inputs and outputs, and a token of a small model takes half a millisecond. */
  readonly #inputPlaces: ReadonlyMap<string, number>;
  readonly #outputPlaces: ReadonlyMap<string, number>;
  #disposed = false;
  #failed = false;

  constructor(inner: InferenceSession, host: SessionHost<Owned>, { label, graphCapture }: OnnxSessionOptions) {
    this.#inner = inner;
    this.#host = host;
    this.label = label;
    this.#fixed = graphCapture ? new FixedBindings(label) : undefined;
    this.inputNames = [...inner.inputNames];
    this.outputNames = [...inner.outputNames];
    this.#inputPlaces = new Map(this.inputNames.map((name, place) => [name, place]));
    this.#outputPlaces = new Map(this.outputNames.map((name, place) => [name, place]));
    this.inputs = declared(inner.inputMetadata);
    this.outputs = declared(inner.outputMetadata);
    host.ledger.sessionMade();
  }

  async run(
    feeds: Tensors,
    options: { readonly outputs?: readonly string[]; readonly into?: Tensors } = {},
  ): Promise<Record<string, DeviceTensor>> {
    const into = options.into ?? {};
    const outputs = options.outputs ?? this.outputNames;
    this.#checkLive();
    this.#checkNames(feeds, outputs, into);
    this.#fixed?.check(feeds, outputs, into);
    return this.#host.queue.run(() => this.#runNow(feeds, outputs, into));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#host.ledger.sessionDisposed();
    // A lost device may refuse; then there is nothing left to release.
    void this.#host.queue.run(() => this.#inner.release().catch(() => undefined));
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #runNow(feeds: Tensors, outputs: readonly string[], into: Tensors): Promise<Record<string, DeviceTensor>> {
    const { memory, ledger, behaviour } = this.#host;
    if (this.#failed)
      throw new DeviceError(`${this.label} cannot run again after a failed run. Create the session anew.`);
    behaviour.check?.(`Before running ${this.label}`);
    if (this.#fixed)
      for (const tensor of [...Object.values(feeds), ...Object.values(into)])
        await memory.pin?.(this.#owned('a captured graph', tensor));
    const inputTensors: Record<string, Tensor> = {};
    for (const name of this.inputNames)
      inputTensors[name] = memory.toOnnx(this.#owned(name, feeds[name]), this.#fixed !== undefined);
    const targets = new Map(outputs.filter((name) => into[name]).map((name) => [name, this.#owned(name, into[name])]));
    const fetches: Record<string, Tensor | null> = {};
    for (const name of outputs) {
      const target = targets.get(name);
      fetches[name] = target ? memory.outputTarget(target) : null;
    }
    const results = await this.#inner.run(inputTensors, fetches).catch((error: unknown) => {
      this.#failed = !behaviour.survivesFailure;
      behaviour.check?.(`Running ${this.label}`);
      throw this.#explain(error);
    });
    ledger.ran();
    try {
      for (const [name, target] of targets) memory.store(results[name] as Tensor, target);
    } catch (error) {
      for (const name of outputs) if (!targets.has(name)) memory.adopt(results[name] as Tensor).dispose();
      throw error;
    }
    const owned: Record<string, DeviceTensor> = {};
    for (const name of outputs) owned[name] = targets.get(name) ?? memory.adopt(results[name] as Tensor);
    return owned;
  }

  #checkLive(): void {
    if (this.#disposed)
      throw new DeviceError(`The session ${this.label} was disposed and cannot run. Dispose it after its last run.`);
  }

  #checkNames(feeds: Tensors, outputs: readonly string[], into: Tensors): void {
    for (const [index, name] of this.inputNames.entries()) {
      const tensor = feeds[name];
      if (!tensor)
        throw new MissingError(
          `${this.label}: the input ${name} is missing; the inputs are ${this.inputNames.join(', ')}.`,
        );
      this.#checkType('input', tensor, this.#inner.inputMetadata[index]);
      this.#owned(name, tensor);
    }
    for (const name of Object.keys(feeds)) {
      if (!this.#inputPlaces.has(name))
        throw new MissingError(
          `${this.label}: the graph has no input called ${name}; the inputs are ${this.inputNames.join(', ')}.`,
        );
    }
    for (const name of [...outputs, ...Object.keys(into)]) {
      if (!this.#outputPlaces.has(name))
        throw new MissingError(
          `${this.label}: the graph has no output called ${name}; the outputs are ${this.outputNames.join(', ')}.`,
        );
    }
    for (const [name, tensor] of Object.entries(into)) {
      this.#checkType('output', tensor, this.#inner.outputMetadata[this.#outputPlaces.get(name) ?? -1]);
      this.#owned(name, tensor);
    }
  }

  #checkType(role: string, tensor: DeviceTensor, declared: InferenceSession.ValueMetadata | undefined): void {
    if (!declared?.isTensor) return;
    const fits =
      declared.type === tensor.dataType &&
      (declared.shape.length === tensor.shape.length || declared.shape.length === 0) &&
      declared.shape.every((size, axis) => typeof size === 'string' || size === tensor.shape[axis]);
    if (!fits)
      throw new MismatchError(
        `${this.label}: the ${role} ${declared.name} is declared as ${describeType(declared.type as DeviceTensor['dataType'], declared.shape)}, but was given ${describeType(tensor.dataType, tensor.shape)}.`,
      );
  }

  #owned(name: string, tensor: DeviceTensor | undefined): Owned {
    if (!tensor || !this.#host.memory.owns(tensor))
      throw new DeviceError(
        `${this.label}: the tensor for ${name} was made by another runtime. Upload it to this one.`,
      );
    if (tensor.disposed)
      throw new DeviceError(
        `${this.label}: the tensor for ${name}, ${describeType(tensor.dataType, tensor.shape)}, was disposed and cannot be used. Dispose it after the run has resolved.`,
      );
    return tensor;
  }

  #explain(error: unknown): EspalierError {
    if (error instanceof EspalierError) return error;
    const explained = explainFailure(`${this.label} could not run`, error);
    const isMismatch = !(explained instanceof OutOfMemoryError) && /shape|dimension/i.test(explained.message);
    return isMismatch ? new MismatchError(explained.message, { cause: error }) : explained;
  }
}

function declared(values: readonly InferenceSession.ValueMetadata[]): ValueInfo[] {
  return values.flatMap((value) =>
    value.isTensor ? [{ name: value.name, dataType: value.type as DataType, shape: value.shape }] : [],
  );
}
