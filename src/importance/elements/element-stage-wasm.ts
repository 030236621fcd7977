import { singleOutput } from '../../architecture/programs.ts';
import type { DeviceWeights, HostWeights } from '../../architecture/weights.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import type { ScoredMatrix, WasmElementScorer } from '../../runtime/kernels/run-element-scores-wasm.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { elementsOf } from '../program/host-view.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { Numbers } from '../sums/sum-table.ts';
import type { ElementStage, ElementTotals, MemberActivations, WeightSum } from './stage.ts';

/** The members as the kernel sees them. */
export function scoredMatrices(members: readonly LinearMember[], weights: DeviceWeights): ScoredMatrix[] {
  return members.map(({ weight, axis, input, output }) => {
    const [outputs = 0, inputs = 0] = singleOutput(weights.tensors, weight).shape;
    return { name: weight, axis, outputs, inputs, input, outputGradient: gradientOf(output) };
  });
}

/** The fused WebAssembly kernel on the host: no weight gradient is written to memory, and several windows share one pass over the weights. */
export class WasmStage implements ElementStage {
  readonly #runtime: Runtime;
  readonly #scorer: WasmElementScorer;
  readonly #matrices: readonly ScoredMatrix[];

  constructor(
    runtime: Runtime,
    scorer: WasmElementScorer,
    matrices: readonly ScoredMatrix[],
    weights: HostWeights,
    tokens: number,
  ) {
    this.#runtime = runtime;
    this.#scorer = scorer;
    this.#matrices = matrices;
    scorer.begin(matrices, tokens, (name) => (weights[name]?.data ?? new Float32Array()) as Float32Array);
  }

  async add({ windows, value }: MemberActivations): Promise<void> {
    const names = new Set(this.#matrices.flatMap(({ input, outputGradient }) => [input, outputGradient]));
    const values = new Map<string, Float32Array>();
    for (const name of names) values.set(name, await elementsOf(this.#runtime, value(name)));
    for (let window = 0; window < windows; window++) {
      await this.#scorer.put((name) => {
        const all = values.get(name) ?? new Float32Array();
        return all.subarray((all.length / windows) * window, (all.length / windows) * (window + 1));
      });
    }
  }

  magnitudes(): ReadonlyMap<string, readonly Float32Array[]> {
    return this.#scorer.magnitudes();
  }

  async progress(): Promise<(sum: WeightSum, weight: string) => Promise<Float32Array>> {
    await this.#scorer.flush();
    return async (sum, weight) => this.#scorer.gradientSums(weight, sum);
  }

  async restore(sums: (sum: WeightSum, weight: string) => Numbers, windows: number): Promise<void> {
    this.#scorer.restore(sums, windows);
  }

  finish(): Promise<ReadonlyMap<string, ElementTotals>> {
    return this.#scorer.finish();
  }

  sums(sum: WeightSum, weight: string): Promise<Float32Array> {
    return this.#scorer.sums(weight, sum);
  }

  /** The memory is the scorer's, for the next layer. */
  [Symbol.dispose](): void {}
}
