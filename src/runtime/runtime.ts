import type { DataType, Graph, ValueInfo } from '../onnx/graph.ts';
import type { Adapter } from './adapter.ts';
import type { HelperThreads } from './kernels/helper-threads.ts';

/** Where tensors live and graphs run. */
export type Backend = 'cpu' | 'wasm' | 'webgpu';

/** Element storage per data type: float16 as its bits in Uint16Array, int64 as BigInt64Array, bool as Uint8Array. */
export type TensorArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Int8Array
  | Uint8Array;

/** A tensor in host memory. */
export interface HostTensor {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly data: TensorArray;
}

/** A tensor in the runtime's memory. Whoever receives it owns it and disposes it (`using`); using it afterwards throws. */
export interface DeviceTensor extends Disposable {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly disposed: boolean;
  dispose(): void;
}

/** A compiled graph. Runs are queued: one at a time per runtime. */
export interface Session extends Disposable {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Types and shapes of the inputs as the graph declares them, in the order of `inputNames`. */
  readonly inputs: readonly ValueInfo[];
  /** The same of the outputs. */
  readonly outputs: readonly ValueInfo[];
  /**
   * Runs the graph. `feeds` stay the caller's. Returns one tensor per requested output (default: all), owned by the caller;
   * an output found in `into` is written there instead (shape and type must match) and that same tensor is returned.
   * A tensor may stand in `into` and `feeds` at once only where the graph consumes it by operators that allow it: elementwise ones on 'cpu' and 'wasm',
   * and on all backends the caches of GroupQueryAttention.
   */
  run(
    feeds: Readonly<Record<string, DeviceTensor>>,
    options?: { readonly outputs?: readonly string[]; readonly into?: Readonly<Record<string, DeviceTensor>> },
  ): Promise<Record<string, DeviceTensor>>;
  dispose(): void;
}

/** How a graph is compiled. */
export interface SessionOptions {
  /** Shown in errors and GPU labels. */
  readonly label?: string;
  /** External data files by location, e.g. 'model.onnx_data'. */
  readonly externalData?: Readonly<Record<string, Uint8Array | Blob>>;
  /**
   * WebGPU graph capture: the first run is recorded and later ones are replayed, so that shapes and tensors must stay the same;
   * every output needs a tensor in `into`. Without effect on other backends.
   */
  readonly graphCapture?: boolean;
  /**
   * Whether one thread computes it in Node: for graphs so small that calling others costs more than they do, and takes the cores from the session
   * whose threads are busy. Default false. Without effect on other backends.
   */
  readonly oneThread?: boolean;
  /** Default 'all'; 'disabled' helps finite-difference tests. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
}

/** Counters for leak tests and reports. Bytes are device tensor bytes made through this runtime. */
export interface RuntimeStatistics {
  /** Tensors that are not disposed. */
  readonly liveTensors: number;
  /** Their size. */
  readonly liveBytes: number;
  /** The most that it was since the last `resetPeak`. */
  readonly peakBytes: number;
  /** Graphs that were compiled. */
  readonly sessionsCreated: number;
  /** Of these, graphs that are not disposed. */
  readonly liveSessions: number;
  /** Runs of graphs. */
  readonly runs: number;
}

/** Where models compute: made by `createRuntime`, shared by as many models as there are. */
export interface Runtime extends Disposable {
  /** Which kind it is. */
  readonly backend: Backend;
  /** The graphics adapter; undefined on the host. */
  readonly adapter?: Adapter | undefined;
  /** For people: 'Node CPU, 2 threads' or the adapter's vendor and architecture. */
  readonly description: string;
  /** Threads beside the caller's for kernels of our own on the host; absent where the platform has none. @internal */
  readonly helpers?: HelperThreads | undefined;
  /** Compiles a graph of ours, or serialized ONNX bytes, or (cpu only) a file path whose external data lies beside it. @internal */
  createSession(model: Graph | Uint8Array | { readonly path: string }, options?: SessionOptions): Promise<Session>;
  /** Copies host memory to the device. @internal */
  upload(tensor: HostTensor): DeviceTensor;
  /** An uninitialised (zeroed) tensor. @internal */
  allocate(dataType: DataType, shape: readonly number[]): DeviceTensor;
  /** Replaces all elements of a tensor. Throws MismatchError when the array's class or length does not fit it. @internal */
  write(tensor: DeviceTensor, data: TensorArray): Promise<void>;
  /** Copies a tensor back to the host. @internal */
  read(tensor: DeviceTensor): Promise<HostTensor>;
  /** The elements of a tensor themselves, where they lie in host memory: to be read at once, not kept and not changed. Absent on other devices. @internal */
  peek?(tensor: DeviceTensor): TensorArray;
  /** Resolves when everything queued has finished on the device. For timing. @internal */
  synchronize(): Promise<void>;
  /** Counters of memory and runs. */
  statistics(): RuntimeStatistics;
  /** Counts the peak of memory anew. */
  resetPeak(): void;
  /** Frees the device; models on it must be disposed before. */
  dispose(): void;
}
