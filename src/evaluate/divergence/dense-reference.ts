import { type Programs, singleOutput } from '../../architecture/programs.ts';
import type { WeightStore } from '../../architecture/weight-store.ts';
import { MismatchError } from '../../errors.ts';
import type { LongRunning } from '../../progress.ts';
import type { DeviceTensor, HostTensor } from '../../runtime/runtime.ts';
import { visitFinalStates } from '../final-states.ts';
import { checkWindows } from '../token-windows.ts';
import { divergenceGraph } from './divergence-graph.ts';

/** How far another model is from the dense one on some windows. */
export interface Divergence {
  /** Mean of KL(dense || other) over predictions, in nats a token. */
  readonly klDivergence: number;
  /** Of that mean, over windows. */
  readonly klStandardError: number;
  /** Share of the predictions whose most probable token is the same. */
  readonly top1Agreement: number;
  /** Mean divergence of each window, for paired comparisons. */
  readonly windowDivergences: readonly number[];
}

/** Sums over the predictions of one window. */
interface WindowSums {
  divergence: number;
  agreements: number;
}

/**
 * The dense model on some windows: the states after its last block are computed once and kept, and its logits made from them when another model is compared (docs/method.md section 8).
 * Both models must share a vocabulary. The programs and the store stay the caller's and must live as long.
 */
export class DenseReference {
  /** The windows that it was run on. */
  readonly windows: readonly ArrayLike<number>[];
  readonly #programs: Programs;
  readonly #store: WeightStore;
  readonly #hidden: readonly Float32Array[];

  private constructor(
    programs: Programs,
    store: WeightStore,
    windows: readonly ArrayLike<number>[],
    hidden: readonly Float32Array[],
  ) {
    this.#programs = programs;
    this.#store = store;
    this.windows = windows;
    this.#hidden = hidden;
  }

  /** Runs the dense model. Throws what `checkWindows` throws. @internal */
  static async of(
    programs: Programs,
    store: WeightStore,
    windows: readonly ArrayLike<number>[],
    options: LongRunning = {},
  ): Promise<DenseReference> {
    checkWindows(windows, store.model.architecture.config.vocabulary);
    const kept: Float32Array[] = [];
    await visitFinalStates(programs, store, windows, { ...options, stage: 'dense model' }, async (states) => {
      const data = states.hidden.data as Float32Array;
      const length = data.length / states.windows.length;
      for (let window = 0; window < states.windows.length; window++)
        kept.push(data.slice(window * length, (window + 1) * length));
    });
    return new DenseReference(programs, store, windows, kept);
  }

  /** Tokens of the dense model. */
  get vocabulary(): number {
    return this.#store.model.architecture.config.vocabulary;
  }

  /** Compares another model, whose logits the caller gives. @internal */
  tally(): DivergenceTally {
    return new DivergenceTally(this);
  }

  /** Compares `rows` rows of logits on the runtime of the dense model with its own at positions from `start` on of a window. @internal */
  async compare(
    window: number,
    start: number,
    other: DeviceTensor,
  ): Promise<{ readonly divergence: Float32Array; readonly behind: Float32Array }> {
    const { runtime } = this.#programs;
    const session = await this.#programs.session('divergence', () => divergenceGraph(this.vocabulary));
    using head = await this.#store.lease('head');
    using dense = await this.#programs.deviceLogits(head, this.#rows(window, start, other.shape[0] ?? 0));
    const outputs = await session.run({ dense, other });
    using divergence = singleOutput(outputs, 'divergence');
    using behind = singleOutput(outputs, 'behind');
    return {
      divergence: (await runtime.read(divergence)).data as Float32Array,
      behind: (await runtime.read(behind)).data as Float32Array,
    };
  }

  /** The same for logits on the host. @internal */
  async compareHost(window: number, start: number, logits: Float32Array) {
    const shape = [logits.length / this.vocabulary, this.vocabulary];
    using other = this.#programs.runtime.upload({ dataType: 'float32', shape, data: logits });
    return await this.compare(window, start, other);
  }

  /** Rows of the states, which may go on in the windows after. */
  #rows(window: number, start: number, rows: number): HostTensor {
    const { hiddenSize } = this.#store.model.architecture.config;
    const data = new Float32Array(rows * hiddenSize);
    const tokens = this.windows[0]?.length ?? 1;
    for (let row = 0; row < rows; row++) {
      const position = window * tokens + start + row;
      const states = this.#hidden[Math.floor(position / tokens)];
      const at = (position % tokens) * hiddenSize;
      if (!states) throw new MismatchError(`The dense model has ${this.#hidden.length} windows; more were compared.`);
      data.set(states.subarray(at, at + hiddenSize), row * hiddenSize);
    }
    return { dataType: 'float32', shape: [rows, hiddenSize], data };
  }
}

/** What has been compared so far. */
export class DivergenceTally {
  readonly #reference: DenseReference;
  readonly #windows: WindowSums[];
  readonly #tokens: number;

  constructor(reference: DenseReference) {
    this.#reference = reference;
    this.#windows = reference.windows.map(() => ({ divergence: 0, agreements: 0 }));
    this.#tokens = reference.windows[0]?.length ?? 1;
  }

  /** Takes in logits [rows, vocabulary] of positions from `start` on of a window; rows may go on in the windows after. The last position of a window predicts nothing. */
  async add(window: number, start: number, logits: DeviceTensor | Float32Array): Promise<void> {
    const { divergence, behind } = await (logits instanceof Float32Array
      ? this.#reference.compareHost(window, start, logits)
      : this.#reference.compare(window, start, logits));
    for (let row = 0; row < divergence.length; row++) {
      const position = window * this.#tokens + start + row;
      const sums = this.#windows[Math.floor(position / this.#tokens)];
      if (!sums || position % this.#tokens === this.#tokens - 1) continue;
      sums.divergence += divergence[row] as number;
      sums.agreements += behind[row] === 0 ? 1 : 0;
    }
  }

  result(): Divergence {
    const predictions = this.#tokens - 1;
    const means = this.#windows.map(({ divergence }) => divergence / predictions);
    const count = means.length;
    const mean = means.reduce((sum, value) => sum + value, 0) / count;
    const variance = count > 1 ? means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1) : 0;
    return {
      klDivergence: mean,
      klStandardError: Math.sqrt(variance / count),
      top1Agreement: this.#windows.reduce((sum, { agreements }) => sum + agreements, 0) / (count * predictions),
      windowDivergences: means,
    };
  }
}
