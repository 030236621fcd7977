import type { Programs } from '../architecture/programs.ts';
import type { DeviceWeights, HostWeights } from '../architecture/weights.ts';
import { ElementScorer } from '../runtime/kernels/run-element-scores.ts';
import { WasmElementScorer } from '../runtime/kernels/run-element-scores-wasm.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';
import { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { WgslStage } from './element-stage-gpu.ts';
import { OnnxStage } from './element-stage-onnx.ts';
import { scoredMatrices, WasmStage } from './element-stage-wasm.ts';
import type { ProgressSums } from './layer-progress.ts';
import type { LinearMember } from './score-graph.ts';

/** Inputs X [windows * tokens, in] and output gradients dY [windows * tokens, out] of every member over a batch of windows, by the values' names in the block. */
export interface MemberActivations {
  readonly windows: number;
  readonly tokens: number;
  readonly value: (name: string) => DeviceTensor;
}

/** Sums per channel of one weight over all windows: docs/method.md section 2. */
export interface ElementTotals {
  readonly elementFirst: ArrayLike<number>;
  readonly elementSecond: ArrayLike<number>;
  readonly elementMixed: ArrayLike<number>;
}

/** What the element metrics of a layer follow from, by weight. */
export interface ElementResults {
  /** Sums of |w g_j| per channel of each window, in the order in which windows came. */
  readonly absolute: ReadonlyMap<string, readonly Float32Array[]>;
  readonly totals: ReadonlyMap<string, ElementTotals>;
}

/** Computes the element metrics of one layer from activations, batch by batch, holding the sums over windows of its weights. */
export interface ElementStage extends Disposable {
  /** Takes a batch in; it may be overwritten afterwards. */
  add(batch: MemberActivations): Promise<void>;
  /** The sums so far: `first/{w}`, `second/{w}` and `magnitudes/{w}` (`layer-progress.ts`). They are to be read before the next call. */
  progress(): Promise<ProgressSums>;
  /** Before the first batch: goes on from the sums of `windows` windows that a stage of the same kind gave, to the same bits. */
  takeUp(sums: ProgressSums, windows: number): Promise<void>;
  /** After the last batch. */
  finish(): Promise<ElementResults>;
  /** After `finish`: the sums over windows of w g_j ('first') or (w g_j)^2 ('second') for every single weight, [rows * columns] by weight. */
  sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>>;
}

/** Hand-written kernels (WGSL on WebGPU, WebAssembly elsewhere), or ordinary operators. */
export type ElementEngine = 'kernel' | 'onnx';

/** A layer that takes more memory in one piece than this is scored by ordinary operators: WebAssembly addresses 4 GiB. */
const WASM_BYTES = 3 * 2 ** 30;

/** Makes the stage of one layer after another, keeping what they share: compiled kernels, threads, memory. */
export class ElementStages implements Disposable {
  readonly #programs: Programs;
  readonly #engine: ElementEngine;
  readonly #wgsl: ElementScorer | undefined;
  readonly #wasm: WasmElementScorer | undefined;

  constructor(programs: Programs, engine: ElementEngine = 'kernel') {
    const { runtime } = programs;
    this.#programs = programs;
    this.#engine = engine;
    if (engine === 'onnx') return;
    if (runtime instanceof WebGpuRuntime) this.#wgsl = new ElementScorer(runtime);
    else if (runtime.backend !== 'webgpu') this.#wasm = new WasmElementScorer(runtime.helpers);
  }

  /** Memory of kernels on the host at its peak, in bytes: it is no tensor of the runtime. */
  get kernelBytes(): number {
    return this.#wasm?.peakBytes ?? 0;
  }

  /** The stage of a layer whose windows have `tokens` each. Throws DeviceError where memory does not suffice. */
  layer(members: readonly LinearMember[], weights: DeviceWeights, host: HostWeights, tokens: number): ElementStage {
    const { runtime } = this.#programs;
    if (this.#wgsl && runtime instanceof WebGpuRuntime) return new WgslStage(this.#programs, runtime, this.#wgsl, members, weights);
    const matrices = scoredMatrices(members, weights);
    if (this.#engine === 'kernel' && this.#wasm && WasmElementScorer.bytesFor(matrices, tokens) <= WASM_BYTES)
      return new WasmStage(runtime, this.#wasm, matrices, host, tokens);
    return new OnnxStage(this.#programs, members, weights);
  }

  [Symbol.dispose](): void {
    this.#wasm?.[Symbol.dispose]();
  }
}
