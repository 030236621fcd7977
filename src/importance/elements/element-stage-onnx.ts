import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { DeviceWeights } from '../../architecture/weights.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { Numbers } from '../sums/sum-table.ts';
import { elementGraph } from './element-graph.ts';
import { allocateSums, readAll, readSum, reduceSums, writeSums } from './element-sums.ts';
import type { ElementStage, ElementTotals, MemberActivations, WeightSum } from './stage.ts';

/** One weight gradient per window by Gemm, reduced at once. The sums are written in place on CPU and WASM, in two alternating buffers on WebGPU. */
export class OnnxStage implements ElementStage {
  readonly #programs: Programs;
  readonly #members: readonly LinearMember[];
  readonly #weights: DeviceWeights;
  #absolute: Map<string, Float32Array[]>;
  #current: Record<string, DeviceTensor>;
  #next: Record<string, DeviceTensor>;
  #windows = 0;

  constructor(programs: Programs, members: readonly LinearMember[], weights: DeviceWeights) {
    this.#programs = programs;
    this.#members = members;
    this.#weights = weights;
    this.#absolute = new Map(members.map(({ weight }) => [weight, []]));
    this.#current = allocateSums(programs.runtime, members, weights);
    this.#next =
      programs.runtime.backend === 'webgpu' ? allocateSums(programs.runtime, members, weights) : this.#current;
  }

  async add(batch: MemberActivations): Promise<void> {
    const session = await this.#programs.session('elements', () => elementGraph(this.#members));
    const feeds: Record<string, DeviceTensor> = {};
    for (const { weight, input, output } of this.#members) {
      feeds[weight] = singleOutput(this.#weights.tensors, weight);
      feeds[`input/${weight}`] = batch.value(input);
      feeds[`outputGradient/${weight}`] = batch.value(gradientOf(output));
    }
    const names = this.#members.map(({ weight }) => `absolute/${weight}`);
    for (let window = 0; window < batch.windows; window++) {
      using start = this.#index(window * batch.tokens);
      using end = this.#index((window + 1) * batch.tokens);
      const into = Object.fromEntries(Object.entries(this.#next).map(([name, tensor]) => [`${name}/next`, tensor]));
      const outputs = await session.run({ ...feeds, ...this.#current, start, end }, { into });
      [this.#current, this.#next] = [this.#next, this.#current];
      const sums = await readAll(this.#programs.runtime, outputs, names);
      for (const [index, { weight }] of this.#members.entries())
        this.#absolute.get(weight)?.push(sums[index] ?? new Float32Array());
      this.#windows++;
    }
  }

  magnitudes(): ReadonlyMap<string, readonly Float32Array[]> {
    const found = this.#absolute;
    this.#absolute = new Map(this.#members.map(({ weight }) => [weight, []]));
    return found;
  }

  async progress(): Promise<(sum: WeightSum, weight: string) => Promise<Float32Array>> {
    return (sum, weight) => this.sums(sum, weight);
  }

  async restore(sums: (sum: WeightSum, weight: string) => Numbers, windows: number): Promise<void> {
    await writeSums(this.#programs.runtime, this.#members, this.#current, sums);
    this.#windows = windows;
  }

  finish(): Promise<ReadonlyMap<string, ElementTotals>> {
    return reduceSums(this.#programs, this.#members, this.#current, this.#windows);
  }

  sums(sum: WeightSum, weight: string): Promise<Float32Array> {
    return readSum(this.#programs.runtime, this.#current, sum, weight);
  }

  [Symbol.dispose](): void {
    for (const tensor of new Set([...Object.values(this.#current), ...Object.values(this.#next)])) tensor.dispose();
  }

  #index(value: number): DeviceTensor {
    return this.#programs.runtime.upload({ dataType: 'int64', shape: [1], data: BigInt64Array.of(BigInt(value)) });
  }
}
