import { only, type Programs } from '../../architecture/programs.ts';
import type { DeviceWeights } from '../../architecture/weights.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import { type ElementScorer, splitTotals } from '../../runtime/kernels/run-element-scores.ts';
import type { DeviceTensor } from '../../runtime/runtime.ts';
import type { WebGpuRuntime } from '../../runtime/webgpu-runtime.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { ProgressSums } from '../sums/layer-progress.ts';
import { allocateSums, readProgress, readSums, reduceSums, writeProgress } from './element-sums.ts';
import type { ElementResults, ElementStage, MemberActivations } from './stage.ts';

/** The fused WGSL kernel: no weight gradient is written to memory, and all windows of a batch share one pass over the weights. */
export class WgslStage implements ElementStage {
  readonly #programs: Programs;
  readonly #members: readonly LinearMember[];
  readonly #weights: DeviceWeights;
  readonly #scorer: ElementScorer;
  readonly #sums: Record<string, DeviceTensor>;
  readonly #absolute: Map<string, Float32Array[]>;
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
    for (const { weight, axis, input, output } of this.#members) {
      const matrix = only(this.#weights.tensors, weight);
      const [outputs = 0, inputs = 0] = matrix.shape;
      const options = { sizes: { windows, tokens, inputs, outputs }, axis, keep: 'sums' } as const;
      using totals = await this.#scorer.score(options, {
        input: value(input),
        outputGradient: value(gradientOf(output)),
        weight: matrix,
        first: only(this.#sums, `first/${weight}`),
        second: only(this.#sums, `second/${weight}`),
      });
      this.#absolute
        .get(weight)
        ?.push(...splitTotals(options, (await this.#programs.runtime.read(totals)).data as Float32Array).absolute);
    }
    this.#windows += windows;
  }

  progress(): Promise<ProgressSums> {
    return readProgress(this.#programs.runtime, this.#sums, this.#absolute);
  }

  async takeUp(sums: ProgressSums, windows: number): Promise<void> {
    await writeProgress(this.#programs.runtime, this.#sums, this.#absolute, sums, windows);
    this.#windows = windows;
  }

  async finish(): Promise<ElementResults> {
    return {
      absolute: this.#absolute,
      totals: await reduceSums(this.#programs, this.#members, this.#sums, this.#windows),
    };
  }

  sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>> {
    return readSums(this.#programs.runtime, this.#members, this.#sums, order);
  }

  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#sums)) tensor.dispose();
  }
}
