import { DeviceError } from '../../errors.ts';
import type { HelperThread, HelperThreads } from './helper-threads.ts';
import type { MemoryLimits } from './wasm-assembler.ts';

/** A function of the module with its arguments. */
export type KernelCall = readonly [name: string, ...values: number[]];

/** Bytes at the start of the memory that calls must leave alone: the number of the next call. */
const RESERVED = 64;
const PAGE = 65536;
/** Milliseconds after which a thread that computes looks at its timers and messages. */
const LONGEST_BREATH = 50;

type Exports = Readonly<Record<string, (...values: number[]) => void>>;

/** Compiled once per process and kind of memory: optimised code then serves every run. */
const modules = new Map<string, WebAssembly.Module>();

/**
 * Functions of one WebAssembly module over one memory, run on the caller's thread and on helper threads where the platform has any and memory can be shared.
 * Dispose it to end the threads.
 */
export class SharedKernels implements Disposable {
  readonly #encode: (memory: MemoryLimits) => Uint8Array<ArrayBuffer>;
  readonly #threads: readonly HelperThread[];
  /** Threads that have the memory. One that cannot start never gets here, and its share falls to the others. */
  #ready = new Set<HelperThread>();
  #memory: WebAssembly.Memory | undefined;
  #exports: Exports = {};
  #peakBytes = 0;

  constructor(encode: (memory: MemoryLimits) => Uint8Array<ArrayBuffer>, helpers: HelperThreads | undefined) {
    this.#encode = encode;
    this.#threads =
      helpers && typeof SharedArrayBuffer !== 'undefined'
        ? Array.from({ length: helpers.count }, () => helpers.start())
        : [];
  }

  /** Largest memory that there was, in bytes. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /** Sees to a memory of at least `bytes`; its contents are undefined. Returns the address of the first free byte. Throws DeviceError where the host has not that much. */
  reserve(bytes: number): number {
    if (bytes + RESERVED <= (this.#memory?.buffer.byteLength ?? 0)) return RESERVED;
    const pages = Math.ceil((bytes + RESERVED) / PAGE);
    const shared = this.#threads.length > 0;
    this.#memory = undefined;
    try {
      this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
    } catch (cause) {
      throw new DeviceError(
        `Scoring needs ${Math.ceil(bytes / 2 ** 20)} MiB of memory in one piece, which the host does not give.`,
        { cause },
      );
    }
    const module = this.#module(shared);
    this.#exports = new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports as Exports;
    const ready = new Set<HelperThread>();
    this.#ready = ready;
    for (const thread of this.#threads) {
      thread.send({ module, memory: this.#memory }).then(
        () => ready.add(thread),
        () => undefined,
      );
    }
    this.#peakBytes = Math.max(this.#peakBytes, pages * PAGE);
    return RESERVED;
  }

  /** The memory as floats, from `address` on. */
  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#live().buffer, address, length);
  }

  /** Runs one call on the caller's thread. */
  run([name, ...values]: KernelCall): void {
    this.#exports[name]?.(...values);
  }

  /** Runs calls that do not depend on each other, shared between all threads: each takes the next one that nobody has. */
  async share(calls: readonly KernelCall[]): Promise<void> {
    const next = new Int32Array(this.#live().buffer, 0, 1);
    next[0] = 0;
    const others = [...this.#ready].map((thread) => thread.send({ calls }));
    let breath = performance.now();
    for (let index = Atomics.add(next, 0, 1); index < calls.length; index = Atomics.add(next, 0, 1)) {
      this.run(calls[index] as KernelCall);
      if (performance.now() - breath < LONGEST_BREATH) continue;
      await new Promise((resolve) => setTimeout(resolve));
      breath = performance.now();
    }
    await Promise.all(others);
  }

  [Symbol.dispose](): void {
    for (const thread of this.#threads) thread.end();
    this.#memory = undefined;
    this.#exports = {};
  }

  #live(): WebAssembly.Memory {
    if (!this.#memory) throw new DeviceError('There is no memory for kernels yet, or no more. Call reserve first.');
    return this.#memory;
  }

  #module(shared: boolean): WebAssembly.Module {
    const key = `${this.#encode.name} ${shared}`;
    const known = modules.get(key) ?? new WebAssembly.Module(this.#encode({ initial: 1, maximum: PAGE, shared }));
    modules.set(key, known);
    return known;
  }
}
