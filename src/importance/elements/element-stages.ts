import type { Programs } from '../../architecture/programs.ts';
import type { DeviceWeights, HostWeights } from '../../architecture/weights.ts';
import { UnsupportedError } from '../../errors.ts';
import { ElementScorer } from '../../runtime/kernels/run-element-scores.ts';
import { WasmElementScorer } from '../../runtime/kernels/run-element-scores-wasm.ts';
import { WebGpuRuntime } from '../../runtime/webgpu-runtime.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import { WgslStage } from './element-stage-gpu.ts';
import { OnnxStage } from './element-stage-onnx.ts';
import { scoredMatrices, WasmStage } from './element-stage-wasm.ts';
import type { ElementStage } from './stage.ts';

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
    if (programs.precision === 'f16' && (engine === 'onnx' || !(runtime instanceof WebGpuRuntime)))
      throw new UnsupportedError(
        `Element scores in half precision are computed by the kernels of WebGPU alone; here is ${runtime.description}. Score in single precision.`,
      );
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
    if (this.#wgsl && runtime instanceof WebGpuRuntime)
      return new WgslStage(this.#programs, runtime, this.#wgsl, members, weights);
    const matrices = scoredMatrices(members, weights);
    if (this.#engine === 'kernel' && this.#wasm && WasmElementScorer.bytesFor(matrices, tokens) <= WASM_BYTES)
      return new WasmStage(runtime, this.#wasm, matrices, host, tokens);
    return new OnnxStage(this.#programs, members, weights);
  }

  [Symbol.dispose](): void {
    this.#wasm?.[Symbol.dispose]();
  }
}
