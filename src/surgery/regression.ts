import { MismatchError } from '../errors.ts';
import type { ChannelStatistics } from './channel-statistics.ts';

export interface Regression {
  /** [outputs, kept]: the kept columns, each row times its factor. */
  readonly weight: Float32Array;
  /** [outputs]: what is added to each output. */
  readonly shift: Float32Array;
}

/**
 * SlimLLM's repair of an output projection (Guo et al. 2025, arXiv 2505.22689): each output channel of the pruned projection is fitted to that of the whole one by a line, a x + b, with least squares
 * over tokens; a scales its row and b is added as a bias. `weight` W [outputs, inputs], `kept` ascending channel indices, statistics of the inputs with their products.
 * An output that the kept channels never move keeps its row. Throws MismatchError for sizes that disagree.
 */
export function regressionRepair(
  weight: Float32Array,
  outputs: number,
  inputs: number,
  { rows, sum, product }: ChannelStatistics,
  kept: ArrayLike<number>,
): Regression {
  if (weight.length !== outputs * inputs || sum.length !== inputs || product?.length !== inputs * inputs)
    throw new MismatchError(
      `The weight has ${weight.length} numbers, the sums ${sum.length} and the products ${product?.length ?? 0}; [${outputs}, ${inputs}] needs ${outputs * inputs}, ${inputs} and ${inputs * inputs}.`,
    );
  const mean = sum.map((value) => value / rows);
  const size = kept.length;
  const result = new Float32Array(outputs * size);
  const shift = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const row = weight.subarray(output * inputs, (output + 1) * inputs);
    // Of the pruned output x and the whole one y: means, the variance of x and the covariance of both, over tokens.
    let [meanX, meanY, variance, covariance] = [0, 0, 0, 0];
    const across = new Float64Array(inputs);
    for (let i = 0; i < size; i++) {
      const channel = kept[i] as number;
      const [own, centre, base] = [row[channel] as number, mean[channel] as number, channel * inputs];
      meanX += own * centre;
      for (let j = 0; j < inputs; j++)
        across[j] = (across[j] as number) + own * ((product[base + j] as number) / rows - centre * (mean[j] as number));
    }
    for (let j = 0; j < inputs; j++) {
      meanY += (row[j] as number) * (mean[j] as number);
      covariance += (across[j] as number) * (row[j] as number);
    }
    for (let k = 0; k < size; k++) {
      const channel = kept[k] as number;
      variance += (across[channel] as number) * (row[channel] as number);
    }
    const factor = variance > 0 ? covariance / variance : 1;
    for (let i = 0; i < size; i++) result[output * size + i] = factor * (row[kept[i] as number] as number);
    shift[output] = meanY - factor * meanX;
  }
  return { weight: result, shift };
}
