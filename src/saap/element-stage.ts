import { only, type Programs } from '../architecture/programs.ts';
import type { DeviceWeights } from '../architecture/weights.ts';
import { ElementScorer, splitTotals } from '../runtime/kernels/run-element-scores.ts';
import type { DeviceTensor, Runtime } from '../runtime/runtime.ts';
import { WebGpuRuntime } from '../runtime/webgpu-runtime.ts';
import { elementGraph, elementReductionGraph } from './element-graph.ts';
import type { LinearMember } from './score-graph.ts';

/** Inputs X [windows * tokens, in] and output gradients dY [windows * tokens, out] of every member over a batch of windows, by weight. */
export interface MemberActivations {
  readonly windows: number;
  readonly tokens: number;
  readonly input: (weight: string) => DeviceTensor;
  readonly outputGradient: (weight: string) => DeviceTensor;
}

/** Sums per channel of one weight over all windows: docs/method.md section 2. */
export interface ElementTotals {
  readonly elementFirst: ArrayLike<number>;
  readonly elementSecond: ArrayLike<number>;
  readonly elementMixed: ArrayLike<number>;
}

/** Computes the element metrics of one layer from activations, batch by batch, holding the sums of w g and w^2 g^2 of its weights. */
export interface ElementStage extends Disposable {
  /** Takes a batch in and returns the sums of |w g_j| per channel: [window] by weight. */
  add(batch: MemberActivations): Promise<ReadonlyMap<string, readonly Float32Array[]>>;
  /** The element metrics per channel after `windows` windows, by weight. */
  finish(windows: number): Promise<ReadonlyMap<string, ElementTotals>>;
  /** The sums over windows of w g_j ('first') or (w g_j)^2 ('second') for every single weight, [rows * columns] by weight. */
  sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>>;
}

export type ElementEngine = 'kernel' | 'onnx';

/** The hand-written kernel on WebGPU; ordinary operators elsewhere, or where asked for. */
export function elementStage(programs: Programs, members: readonly LinearMember[], weights: DeviceWeights, engine?: ElementEngine): ElementStage {
  const { runtime } = programs;
  if (engine !== 'onnx' && runtime instanceof WebGpuRuntime) return new KernelStage(programs, runtime, members, weights);
  return new OnnxStage(programs, members, weights);
}

async function readAll(runtime: Runtime, outputs: Record<string, DeviceTensor>, names: readonly string[]): Promise<Float32Array[]> {
  const arrays: Float32Array[] = [];
  for (const name of names) {
    using tensor = only(outputs, name);
    arrays.push((await runtime.read(tensor)).data as Float32Array);
  }
  return arrays;
}

async function readSums(
  runtime: Runtime,
  members: readonly LinearMember[],
  sums: Record<string, DeviceTensor>,
  order: 'first' | 'second',
): Promise<ReadonlyMap<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for (const { weight } of members) found.set(weight, (await runtime.read(only(sums, `${order}/${weight}`))).data as Float32Array);
  return found;
}

/** Reduces the sums of every member to channels. */
async function reduceSums(
  programs: Programs,
  members: readonly LinearMember[],
  sums: (name: string) => DeviceTensor,
  windows: number,
): Promise<Map<string, ElementTotals>> {
  const totals = new Map<string, ElementTotals>();
  using scale = programs.runtime.upload({ dataType: 'float32', shape: [], data: Float32Array.of(1 / windows) });
  for (const { weight, axis } of members) {
    const session = await programs.session(`element reduction ${axis}`, () => elementReductionGraph(axis));
    const outputs = await session.run({ first: sums(`first/${weight}`), second: sums(`second/${weight}`), scale });
    const [elementFirst = [], elementSecond = [], elementMixed = []] = await readAll(programs.runtime, outputs, [
      'elementFirst',
      'elementSecond',
      'elementMixed',
    ]);
    totals.set(weight, { elementFirst, elementSecond, elementMixed });
  }
  return totals;
}

/** Zeroed tensors of the members' shapes called `first/<weight>` and `second/<weight>`. */
function allocateSums(runtime: Runtime, members: readonly LinearMember[], weights: DeviceWeights): Record<string, DeviceTensor> {
  const entries = members.flatMap(({ weight }) => {
    const { shape } = only(weights.tensors, weight);
    return [`first/${weight}`, `second/${weight}`].map((name) => [name, runtime.allocate('float32', shape)] as const);
  });
  return Object.fromEntries(entries);
}

/** One weight gradient per window by Gemm, reduced at once. The sums are written in place on CPU and WASM, in two alternating buffers on WebGPU. */
class OnnxStage implements ElementStage {
  readonly #programs: Programs;
  readonly #members: readonly LinearMember[];
  readonly #weights: DeviceWeights;
  #current: Record<string, DeviceTensor>;
  #next: Record<string, DeviceTensor>;

  constructor(programs: Programs, members: readonly LinearMember[], weights: DeviceWeights) {
    this.#programs = programs;
    this.#members = members;
    this.#weights = weights;
    this.#current = allocateSums(programs.runtime, members, weights);
    this.#next = programs.runtime.backend === 'webgpu' ? allocateSums(programs.runtime, members, weights) : this.#current;
  }

  async add(batch: MemberActivations): Promise<ReadonlyMap<string, readonly Float32Array[]>> {
    const session = await this.#programs.session('elements', () => elementGraph(this.#members));
    const feeds: Record<string, DeviceTensor> = {};
    for (const { weight } of this.#members) {
      feeds[weight] = only(this.#weights.tensors, weight);
      feeds[`input/${weight}`] = batch.input(weight);
      feeds[`outputGradient/${weight}`] = batch.outputGradient(weight);
    }
    const absolute = new Map<string, Float32Array[]>(this.#members.map(({ weight }) => [weight, []]));
    for (let window = 0; window < batch.windows; window++) {
      using start = this.#index(window * batch.tokens);
      using end = this.#index((window + 1) * batch.tokens);
      const into = Object.fromEntries(Object.entries(this.#next).map(([name, tensor]) => [`${name}/next`, tensor]));
      const outputs = await session.run({ ...feeds, ...this.#current, start, end }, { into });
      [this.#current, this.#next] = [this.#next, this.#current];
      const sums = await readAll(
        this.#programs.runtime,
        outputs,
        this.#members.map(({ weight }) => `absolute/${weight}`),
      );
      this.#members.forEach(({ weight }, index) => {
        absolute.get(weight)?.push(sums[index] ?? new Float32Array());
      });
    }
    return absolute;
  }

  finish(windows: number): Promise<ReadonlyMap<string, ElementTotals>> {
    return reduceSums(this.#programs, this.#members, (name) => only(this.#current, name), windows);
  }

  sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>> {
    return readSums(this.#programs.runtime, this.#members, this.#current, order);
  }

  [Symbol.dispose](): void {
    for (const tensor of new Set([...Object.values(this.#current), ...Object.values(this.#next)])) tensor.dispose();
  }

  #index(value: number): DeviceTensor {
    return this.#programs.runtime.upload({ dataType: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) });
  }
}

/** The fused WGSL kernel: no weight gradient is written to memory, and all windows of a batch share one pass over the weights. */
class KernelStage implements ElementStage {
  readonly #programs: Programs;
  readonly #members: readonly LinearMember[];
  readonly #weights: DeviceWeights;
  readonly #scorer: ElementScorer;
  readonly #sums: Record<string, DeviceTensor>;

  constructor(programs: Programs, runtime: WebGpuRuntime, members: readonly LinearMember[], weights: DeviceWeights) {
    this.#programs = programs;
    this.#members = members;
    this.#weights = weights;
    this.#scorer = new ElementScorer(runtime);
    this.#sums = allocateSums(runtime, members, weights);
  }

  async add(batch: MemberActivations): Promise<ReadonlyMap<string, readonly Float32Array[]>> {
    const absolute = new Map<string, readonly Float32Array[]>();
    for (const { weight, axis } of this.#members) {
      const matrix = only(this.#weights.tensors, weight);
      const [outputs = 0, inputs = 0] = matrix.shape;
      const options = { sizes: { windows: batch.windows, tokens: batch.tokens, inputs, outputs }, axis, keep: 'sums' } as const;
      using totals = await this.#scorer.score(options, {
        input: batch.input(weight),
        outputGradient: batch.outputGradient(weight),
        weight: matrix,
        first: only(this.#sums, `first/${weight}`),
        second: only(this.#sums, `second/${weight}`),
      });
      absolute.set(weight, splitTotals(options, (await this.#programs.runtime.read(totals)).data as Float32Array).absolute);
    }
    return absolute;
  }

  finish(windows: number): Promise<ReadonlyMap<string, ElementTotals>> {
    return reduceSums(this.#programs, this.#members, (name) => only(this.#sums, name), windows);
  }

  sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>> {
    return readSums(this.#programs.runtime, this.#members, this.#sums, order);
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#sums)) tensor.dispose();
  }
}
