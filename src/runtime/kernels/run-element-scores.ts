import { MismatchError } from '../../errors.ts';
import { describeType, sameShape } from '../data-types.ts';
import type { DeviceTensor } from '../runtime.ts';
import type { WebGpuRuntime } from '../webgpu-runtime.ts';
import {
  channelCount,
  type ElementScoreOptions,
  elementScoresKernel,
  REDUCTION_ROWS,
  sumTilesKernel,
  tileCount,
  totalRows,
} from './element-scores.ts';
import { KernelRunner } from './kernel.ts';

export type { ElementScoreOptions } from './element-scores.ts';

/** Tensors of one linear layer, all float32; in half precision X, dY and W are float16. They stay the caller's. */
export interface ElementScoreTensors {
  /** X [windows * tokens, inputs]. */
  readonly input: DeviceTensor;
  /** dY [windows * tokens, outputs]. */
  readonly outputGradient: DeviceTensor;
  /** W [outputs, inputs]. */
  readonly weight: DeviceTensor;
  /** With `keep: 'sums'`: the sums over windows of w g and of w^2 g^2, [outputs, inputs]; this batch is added to them in place. */
  readonly first?: DeviceTensor;
  readonly second?: DeviceTensor;
  /** In half precision: what dY is to be multiplied by []. */
  readonly inverseScale?: DeviceTensor;
}

/** The fused element-score kernel on one runtime. Keep one: it holds the compiled pipelines. */
export class ElementScorer {
  readonly #runtime: WebGpuRuntime;
  readonly #runner: KernelRunner;

  constructor(runtime: WebGpuRuntime) {
    this.#runtime = runtime;
    this.#runner = new KernelRunner(runtime.device);
  }

  /**
   * Scores one weight over a batch of windows. Returns `totals` [rows, channels], owned by the caller: row j is e_j, the sum of |w g_j| per channel of window j;
   * with `keep: 'reductions'` three more rows follow: elementFirst, elementSecond and elementMixed per channel. Throws MismatchError naming a tensor of the wrong shape.
   */
  async score(options: ElementScoreOptions, tensors: ElementScoreTensors): Promise<DeviceTensor> {
    checkTensors(options, tensors);
    const runtime = this.#runtime;
    const [rows, channels] = [totalRows(options), channelCount(options)];
    using partial = runtime.allocate('float32', [rows, tileCount(options), channels]);
    const totals = runtime.allocate('float32', [rows, channels]);
    try {
      await runtime.exclusive(() => {
        const buffers = Object.fromEntries(
          Object.entries({ ...tensors, partial, totals }).map(([name, tensor]) => [name, runtime.bufferOf(tensor)]),
        );
        return this.#runner.submit([
          { kernel: elementScoresKernel(options), buffers },
          { kernel: sumTilesKernel(options), buffers },
        ]);
      });
      return totals;
    } catch (error) {
      totals.dispose();
      throw error;
    }
  }
}

/** Splits `totals`, read back, into the sums of magnitudes per window and what `reductions` adds. */
export function splitTotals(options: ElementScoreOptions, totals: Float32Array) {
  const channels = channelCount(options);
  const row = (index: number) => totals.subarray(index * channels, (index + 1) * channels);
  const { windows } = options.sizes;
  const absolute = Array.from({ length: windows }, (_, window) => row(window));
  if (totals.length < (windows + REDUCTION_ROWS) * channels) return { absolute };
  return { absolute, elementFirst: row(windows), elementSecond: row(windows + 1), elementMixed: row(windows + 2) };
}

function checkTensors({ sizes, keep, half }: ElementScoreOptions, tensors: ElementScoreTensors): void {
  const { windows, tokens, inputs, outputs } = sizes;
  const matrix = [outputs, inputs];
  const expected: Record<keyof ElementScoreTensors, readonly number[] | undefined> = {
    input: [windows * tokens, inputs],
    outputGradient: [windows * tokens, outputs],
    weight: matrix,
    first: keep === 'sums' ? matrix : undefined,
    second: keep === 'sums' ? matrix : undefined,
    inverseScale: half ? [] : undefined,
  };
  const read: readonly string[] = ['input', 'outputGradient', 'weight'];
  for (const [name, shape] of Object.entries(expected)) {
    const tensor = tensors[name as keyof ElementScoreTensors];
    const type = half && read.includes(name) ? 'float16' : 'float32';
    if (!shape || (tensor?.dataType === type && sameShape(tensor.shape, shape))) continue;
    throw new MismatchError(
      `Element scores need ${name} as ${describeType(type, shape)}, but were given ${tensor ? describeType(tensor.dataType, tensor.shape) : 'none'}.`,
    );
  }
}
