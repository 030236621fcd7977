import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { DeviceWeights } from '../../architecture/weights.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import { type ElementScorer, splitTotals } from '../../runtime/kernels/run-element-scores.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { WebGpuRuntime } from '../../runtime/webgpu-runtime.ts';
import { INVERSE_SCALE } from '../program/scaled-gradients.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { Numbers } from '../sums/sum-table.ts';
import { allocateSums, readSum, reduceSums, writeSums } from './element-sums.ts';
import type { ElementStage, ElementTotals, MemberActivations, WeightSum } from './stage.ts';

/** The fused WGSL kernel: no weight gradient is written to memory, and all windows of a batch share one pass over the weights. */
export class WgslStage implements ElementStage {
  readonly #programs: Programs;
  readonly #members: readonly LinearMember[];
  readonly #weights: DeviceWeights;
  readonly #scorer: ElementScorer;
  readonly #sums: Record<string, DeviceTensor>;
  #absolute: Map<string, Float32Array[]>;
  #windows = 0;

  constructor(
    programs: Programs,
    runtime: WebGpuRuntime,
    scorer: ElementScorer,
    members: readonly LinearMember[],
    weights: DeviceWeights,
  ) {
    this.#programs = programs;
    this.#members = members;
    this.#weights = weights;
    this.#scorer = scorer;
    this.#sums = allocateSums(runtime, members, weights);
    this.#absolute = new Map(members.map(({ weight }) => [weight, []]));
  }

  async add({ windows, tokens, value }: MemberActivations): Promise<void> {
    const half = this.#programs.precision === 'f16';
    for (const { weight, axis, input, output } of this.#members) {
      const matrix = singleOutput(this.#weights.tensors, weight);
      const [outputs = 0, inputs = 0] = matrix.shape;
      const options = { sizes: { windows, tokens, inputs, outputs }, axis, keep: 'sums', half } as const;
      using totals = await this.#scorer.score(options, {
        input: value(input),
        outputGradient: value(gradientOf(output)),
        weight: matrix,
        first: singleOutput(this.#sums, `first/${weight}`),
        second: singleOutput(this.#sums, `second/${weight}`),
        ...(half && { inverseScale: value(INVERSE_SCALE) }),
      });
      this.#absolute
        .get(weight)
        ?.push(...splitTotals(options, (await this.#programs.runtime.read(totals)).data as Float32Array).absolute);
    }
    this.#windows += windows;
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
    await writeSums(this.#programs.runtime, this.#members, this.#sums, sums);
    this.#windows = windows;
  }

  finish(): Promise<ReadonlyMap<string, ElementTotals>> {
    return reduceSums(this.#programs, this.#members, this.#sums, this.#windows);
  }

  sums(sum: WeightSum, weight: string): Promise<Float32Array> {
    return readSum(this.#programs.runtime, this.#sums, sum, weight);
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#sums)) tensor.dispose();
  }
}
