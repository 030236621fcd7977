import { only } from '../../architecture/programs.ts';
import type { DeviceWeights, HostWeights } from '../../architecture/weights.ts';
import { gradientOf } from '../../passes/differentiate.ts';
import type { ScoredMatrix, WasmElementScorer } from '../../runtime/kernels/run-element-scores-wasm.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { elementsOf } from '../program/host-view.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import { joinWindows, type ProgressSums, splitWindows } from '../sums/layer-progress.ts';
import type { ElementResults, ElementStage, MemberActivations } from './stage.ts';

/** The members as the kernel sees them. */
export function scoredMatrices(members: readonly LinearMember[], weights: DeviceWeights): ScoredMatrix[] {
  return members.map(({ weight, axis, input, output }) => {
    const [outputs = 0, inputs = 0] = only(weights.tensors, weight).shape;
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

  async progress(): Promise<ProgressSums> {
    const { absolute, sums } = await this.#scorer.progress();
    return new Map([
      ...[...absolute].map(([weight, windows]) => [`magnitudes/${weight}`, joinWindows(windows)] as const),
      ...sums,
    ]);
  }

  async takeUp(sums: ProgressSums, windows: number): Promise<void> {
    const absolute = this.#matrices.map(
      ({ name }) => [name, splitWindows(sums.get(`magnitudes/${name}`), windows)] as const,
    );
    this.#scorer.takeUp({ absolute: new Map(absolute), sums });
  }

  finish(): Promise<ElementResults> {
    return this.#scorer.finish();
  }

  async sums(order: 'first' | 'second'): Promise<ReadonlyMap<string, Float32Array>> {
    return new Map(
      await Promise.all(this.#matrices.map(async ({ name }) => [name, await this.#scorer.sums(name, order)] as const)),
    );
  }

  /** The memory is the scorer's, for the next layer. */
  [Symbol.dispose](): void {}
}
