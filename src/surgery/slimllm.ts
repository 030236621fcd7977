import { MismatchError } from '../errors.ts';
import type { ChannelStatistics } from './channel-statistics.ts';
import { symmetricEigen } from './eigen.ts';

/** Sharpness of the layers' shares: the published default. */
const SHARPNESS = 10;
/** Of 32 layers the published recipe keeps the two that change their input most. */
const KEPT_LAYERS = 2 / 32;

/** A linear layer and the statistics, with products, of its inputs. */
export interface ObservedLinear {
  /** [outputs, inputs]. */
  readonly weight: Float32Array;
  readonly outputs: number;
  readonly inputs: number;
  readonly statistics: ChannelStatistics;
}

/**
 * In which order attention groups go (SlimLLM: Guo et al. 2025, arXiv 2505.22689): first the one without which the output of attention stays most like itself, by the sum over output channels of the absolute
 * Pearson correlation with the whole output over tokens. The paper then exchanges removed heads for kept ones while that helps; here each step looks at all groups that are left, so that the removed
 * ones of a small share are among those of a larger one. Returns group indices, the first to go first.
 */
export function slimAttentionOrder(o: ObservedLinear, groupOfChannel: Int32Array, groups: number): number[] {
  const parts = covarianceParts(o, groupOfChannel, groups);
  let left = Array.from({ length: groups }, (_, group) => group);
  const order: number[] = [];
  while (left.length > 0) {
    let best = { group: left[0] ?? 0, likeness: Number.NEGATIVE_INFINITY };
    for (const group of left) {
      const likeness = likenessOf(
        parts,
        groups,
        left.filter((other) => other !== group),
      );
      if (likeness > best.likeness) best = { group, likeness };
    }
    order.push(best.group);
    left = left.filter((group) => group !== best.group);
  }
  return order;
}

/** The sum over output channels of the absolute correlation between what `kept` groups and what all groups give. */
function likenessOf(parts: readonly Float64Array[], groups: number, kept: readonly number[]): number {
  let likeness = 0;
  for (const part of parts) {
    let [both, own, whole] = [0, 0, 0];
    for (let g = 0; g < groups; g++) for (let h = 0; h < groups; h++) whole += part[g * groups + h] as number;
    for (const g of kept) {
      for (let h = 0; h < groups; h++) both += part[g * groups + h] as number;
      for (const h of kept) own += part[g * groups + h] as number;
    }
    if (own > 0 && whole > 0) likeness += Math.abs(both) / Math.sqrt(own * whole);
  }
  return likeness;
}

/** Of every output channel, the covariances [groups, groups] over tokens of what the groups add to it. */
function covarianceParts(o: ObservedLinear, groupOfChannel: Int32Array, groups: number): Float64Array[] {
  const { weight, outputs, inputs } = o;
  const covariance = covarianceOf(o);
  return Array.from({ length: outputs }, (_, output) => {
    const row = weight.subarray(output * inputs, (output + 1) * inputs);
    const part = new Float64Array(groups * groups);
    for (let i = 0; i < inputs; i++) {
      const own = row[i] as number;
      const at = (groupOfChannel[i] as number) * groups;
      for (let j = 0; j < inputs; j++) {
        const place = at + (groupOfChannel[j] as number);
        part[place] = (part[place] as number) + own * (covariance[i * inputs + j] as number) * (row[j] as number);
      }
    }
    return part;
  });
}

/**
 * SlimLLM's score of every neuron [neurons]: the norms of its gate and up rows, each weight times the norm of its input channel, and of its down column in the space of the principal components of the MLP's
 * output, component k counting by sigmoid(eigenvalue k / mean eigenvalue), times the norm of the neuron's activations. (The published program also spares the lowest hundredth, which the paper does not
 * mention; this does not.) `entering` are the linear layers that read the MLP's input.
 */
export function slimNeuronScores(entering: readonly ObservedLinear[], down: ObservedLinear): Float64Array {
  const { weight, outputs, inputs } = down;
  const scores = new Float64Array(inputs);
  for (const layer of entering) {
    if (layer.outputs !== inputs)
      throw new MismatchError(`A layer of ${layer.outputs} outputs cannot feed ${inputs} neurons.`);
    const squares = squaredNorms(layer);
    for (let neuron = 0; neuron < inputs; neuron++) {
      let sum = 0;
      for (let k = 0; k < layer.inputs; k++)
        sum += (layer.weight[neuron * layer.inputs + k] as number) ** 2 * (squares[k] as number);
      scores[neuron] = (scores[neuron] as number) + Math.sqrt(sum);
    }
  }
  const { values, vectors } = symmetricEigen(outputCovariance(down), outputs);
  const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / outputs;
  const activations = squaredNorms(down);
  const sums = new Float64Array(inputs);
  for (let component = 0; component < outputs; component++) {
    const counts = 1 / (1 + Math.exp(-Math.abs(values[component] as number) / (mean || 1)));
    const along = new Float64Array(inputs);
    for (let output = 0; output < outputs; output++) {
      const part = vectors[component * outputs + output] as number;
      for (let neuron = 0; neuron < inputs; neuron++)
        along[neuron] = (along[neuron] as number) + part * (weight[output * inputs + neuron] as number);
    }
    for (let neuron = 0; neuron < inputs; neuron++)
      sums[neuron] = (sums[neuron] as number) + (counts * (along[neuron] as number)) ** 2;
  }
  return scores.map((score, neuron) => score + Math.sqrt((sums[neuron] as number) * (activations[neuron] as number)));
}

/**
 * SlimLLM's share of each layer relative to the mean: softmax over the mean cosine between what enters a layer and what leaves it, so that layers that change little give more. The layers that
 * change most, one in 16, give nothing.
 */
export function slimLayerShares(cosines: readonly number[]): number[] {
  const whole = Math.round(KEPT_LAYERS * cosines.length);
  const order = [...cosines.keys()].sort((a, b) => (cosines[b] ?? 0) - (cosines[a] ?? 0));
  const giving = order.slice(0, cosines.length - whole);
  const weights = giving.map((layer) => Math.exp(SHARPNESS * (cosines[layer] ?? 0)));
  const total = weights.reduce((sum, value) => sum + value, 0);
  const shares = cosines.map(() => 0);
  for (const [index, layer] of giving.entries()) shares[layer] = ((weights[index] ?? 0) / total) * giving.length;
  return shares;
}

/**
 * As one order over all layers: the priority of the group that goes as the k-th of `count` in a layer of a share is the mean share at which it goes, (k + 1/2) / count / share. What a layer without a share
 * has comes last.
 */
export function slimPriorities(order: readonly number[], share: number): Float64Array {
  const priorities = new Float64Array(order.length);
  for (const [place, group] of order.entries()) {
    const within = (place + 0.5) / order.length;
    priorities[group] = share > 0 ? within / share : 1e6 + within;
  }
  return priorities;
}

function squaredNorms({ inputs, statistics: { product } }: ObservedLinear): Float64Array {
  return Float64Array.from({ length: inputs }, (_, channel) => product?.[channel * inputs + channel] ?? Number.NaN);
}

/** Covariance of the inputs over tokens [inputs, inputs]. */
function covarianceOf({ inputs, statistics: { rows, sum, product } }: ObservedLinear): Float64Array {
  if (product?.length !== inputs * inputs)
    throw new MismatchError(`The products of ${inputs} channels are ${product?.length ?? 0} numbers.`);
  const result = new Float64Array(inputs * inputs);
  for (let i = 0; i < inputs; i++)
    for (let j = 0; j < inputs; j++)
      result[i * inputs + j] =
        (product[i * inputs + j] as number) / rows - ((sum[i] as number) / rows) * ((sum[j] as number) / rows);
  return result;
}

/** Covariance of the outputs W x over tokens [outputs, outputs]. */
function outputCovariance(linear: ObservedLinear): Float64Array {
  const { weight, outputs, inputs } = linear;
  const covariance = covarianceOf(linear);
  const result = new Float64Array(outputs * outputs);
  for (let output = 0; output < outputs; output++) {
    const across = new Float64Array(inputs);
    for (let i = 0; i < inputs; i++) {
      const own = weight[output * inputs + i] as number;
      for (let j = 0; j < inputs; j++) across[j] = (across[j] as number) + own * (covariance[i * inputs + j] as number);
    }
    for (let other = 0; other < outputs; other++) {
      let sum = 0;
      for (let j = 0; j < inputs; j++) sum += (across[j] as number) * (weight[other * inputs + j] as number);
      result[output * outputs + other] = sum;
    }
  }
  return result;
}
