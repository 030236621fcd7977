import { MismatchError } from '../errors.ts';

/**
 * FLAP's bias compensation (docs/method.md section 5; An et al. 2024, arXiv 2312.11983): what the removed input channels add on average, W[:, removed] mean(X[removed]), to be added as a bias.
 * `weight` W [outputs, inputs], `mean` of every input channel [inputs], `kept` channel indices. Returns [outputs], summed in float64.
 * Throws MismatchError for sizes that disagree.
 */
export function biasCompensation(
  weight: Float32Array,
  outputs: number,
  inputs: number,
  mean: ArrayLike<number>,
  kept: ArrayLike<number>,
): Float32Array {
  if (weight.length !== outputs * inputs || mean.length !== inputs) {
    throw new MismatchError(
      `The weight has ${weight.length} numbers and the means ${mean.length}; [${outputs}, ${inputs}] and [${inputs}] are expected.`,
    );
  }
  const missing = Float64Array.from(mean);
  for (let i = 0; i < kept.length; i++) missing[kept[i] as number] = 0;
  const bias = new Float32Array(outputs);
  for (let row = 0; row < outputs; row++) {
    let sum = 0;
    for (let channel = 0; channel < inputs; channel++)
      sum += (weight[row * inputs + channel] as number) * (missing[channel] as number);
    bias[row] = sum;
  }
  return bias;
}
