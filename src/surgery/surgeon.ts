import { transpose } from '../arrays.ts';
import { DeviceError, MismatchError } from '../errors.ts';
import { cholesky, solveInPlace } from './cholesky.ts';
import { subtractProducts } from './products.ts';

/** Share of the mean diagonal that is added to the products of the inputs, and of the gradients. */
const DAMPING = { inputs: 0.01, gradients: 1e-6 };
/** Every round removes this share of the groups: 32 of 1,536 neurons. */
const ROUND_SHARE = 1 / 48;

/** The curvature of the loss in the weights of one linear layer Y = X W^T, as a Kronecker product (K-FAC). */
export interface OutputFactors {
  /** Of the weight: rows and columns. */
  readonly outputs: number;
  readonly inputs: number;
  /** Sum over tokens of x x^T [inputs, inputs]. */
  readonly products: Float64Array;
  /** Sum over tokens of dy dy^T [outputs, outputs]. */
  readonly gradients: Float64Array;
}

/**
 * Importance of the groups of a layer's output projection by the optimal brain surgeon, in units of the loss but for one factor that all layers share (LLM Surgeon: van der Ouderaa et al.
 * 2024, arXiv 2312.17244; ZipLM: Kurtic et al. 2023, arXiv 2302.04089): what the loss grows by when a group's columns go and the other columns make up for them as well as they can,
 * 1/2 tr(W_S^T G W_S ([A^-1]_SS)^-1) with A and G the products of inputs and of gradients; for one column 1/2 w_j^T G w_j / [A^-1]_jj. The cheapest groups go in rounds, after each of which the
 * other columns and A^-1 are what the removal left. A group's importance is its cost when it goes, or that of one that went before if that was more. [groups], float64.
 *
 * `weight` W [outputs, inputs]; `groupOfChannel` [inputs], -1 for columns that always stay.
 * Throws MismatchError for sizes that disagree, DeviceError for products that cannot be factored.
 */
export function surgeonImportance(
  { outputs, inputs, products, gradients }: OutputFactors,
  weight: Float32Array,
  groupOfChannel: Int32Array,
  groups: number,
): Float64Array {
  if (
    weight.length !== outputs * inputs ||
    products.length !== inputs * inputs ||
    gradients.length !== outputs * outputs ||
    groupOfChannel.length !== inputs
  )
    throw new MismatchError(
      `The weight has ${weight.length} numbers, its inputs' products ${products.length} and its gradients' ${gradients.length}; [${outputs}, ${inputs}] needs ${outputs * inputs}, ${inputs * inputs} and ${outputs * outputs}.`,
    );
  let state: State = {
    channels: Array.from({ length: inputs }, (_, channel) => channel),
    inverse: inverse(products, inputs),
    rows: gradientRows(gradients, weight, outputs, inputs),
    width: outputs,
  };
  const importance = new Float64Array(groups);
  const perRound = Math.max(1, Math.floor(groups * ROUND_SHARE));
  let left = [...new Set(groupOfChannel)].filter((group) => group >= 0);
  let highest = 0;
  while (left.length > 0) {
    const members = placesOf(state.channels, groupOfChannel);
    const costs = new Map(left.map((group) => [group, costOf(state, members.get(group) ?? [])]));
    const cheapest = left.sort((a, b) => (costs.get(a) ?? 0) - (costs.get(b) ?? 0) || a - b).slice(0, perRound);
    for (const group of cheapest) {
      highest = Math.max(highest, costs.get(group) ?? 0);
      importance[group] = highest;
    }
    left = left.slice(cheapest.length);
    if (left.length > 0)
      state = without(
        state,
        cheapest.flatMap((group) => members.get(group) ?? []),
      );
  }
  return importance;
}

interface State {
  /** Columns that are still there. */
  readonly channels: readonly number[];
  /** A^-1 of them. */
  readonly inverse: Float64Array;
  /** Row j is R^T w_j with G = R R^T [channels, width], so that inner products are those of G. */
  readonly rows: Float64Array;
  readonly width: number;
}

/** Places of each group's columns among those that are still there. */
function placesOf(channels: readonly number[], groupOfChannel: Int32Array): Map<number, number[]> {
  const places = new Map<number, number[]>();
  for (const [place, channel] of channels.entries()) {
    const group = groupOfChannel[channel] as number;
    const known = places.get(group);
    if (known) known.push(place);
    else places.set(group, [place]);
  }
  return places;
}

/** 1/2 tr(V_S V_S^T ([A^-1]_SS)^-1), V the rows of the state. */
function costOf({ channels, inverse: matrix, rows, width }: State, places: readonly number[]): number {
  const size = channels.length;
  const count = places.length;
  const first = places[0] ?? 0;
  if (count === 1) return dot(rows, first, first, width) / (2 * (matrix[first * size + first] as number));
  const gram = new Float64Array(count * count);
  for (const [i, a] of places.entries())
    for (const [j, b] of places.entries()) gram[i * count + j] = dot(rows, a, b, width);
  solveInPlace(factored(block(matrix, size, places, places), count), count, gram, count);
  let trace = 0;
  for (let i = 0; i < count; i++) trace += gram[i * count + i] as number;
  return trace / 2;
}

/** The state without some columns, the others changed to make up for them: V_j -= [A^-1]_jS ([A^-1]_SS)^-1 V_S, and A^-1 likewise. */
function without({ channels, inverse: matrix, rows, width }: State, gone: readonly number[]): State {
  const size = channels.length;
  const leaving = new Set(gone);
  const kept = channels.flatMap((_, place) => (leaving.has(place) ? [] : [place]));
  const [stay, depth] = [kept.length, gone.length];
  const crossing = block(matrix, size, kept, gone);
  const solved = crossing.slice();
  solveInPlace(factored(block(matrix, size, gone, gone), depth), depth, solved, stay);
  const nextInverse = block(matrix, size, kept, kept);
  subtractProducts(whole(nextInverse, stay), whole(crossing, depth), whole(solved, depth), stay, stay, depth);
  const columns = Array.from({ length: width }, (_, column) => column);
  const nextRows = block(rows, width, kept, columns);
  const goneColumns = transpose(block(rows, width, gone, columns), depth);
  subtractProducts(whole(nextRows, width), whole(solved, depth), whole(goneColumns, depth), stay, width, depth);
  return { channels: kept.map((place) => channels[place] as number), inverse: nextInverse, rows: nextRows, width };
}

function inverse(products: Float64Array, size: number): Float64Array {
  const factor = factored(damped(products, size, DAMPING.inputs), size);
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) result[i * size + i] = 1;
  solveInPlace(factor, size, result, size);
  return result;
}

/** [inputs, outputs]: row j is R^T w_j with R R^T the products of the gradients. */
function gradientRows(gradients: Float64Array, weight: Float32Array, outputs: number, inputs: number): Float64Array {
  const right = transpose(factored(damped(gradients, outputs, DAMPING.gradients), outputs), outputs);
  const left = transpose(
    Float64Array.from(weight, (value) => -value),
    outputs,
  );
  const result = new Float64Array(inputs * outputs);
  subtractProducts(whole(result, outputs), whole(left, outputs), whole(right, outputs), inputs, outputs, outputs);
  return result;
}

/** A matrix with a share of its mean diagonal added to the diagonal; one that is zero becomes the unit matrix. */
function damped(matrix: Float64Array, size: number, share: number): Float64Array {
  let mean = 0;
  for (let i = 0; i < size; i++) mean += (matrix[i * size + i] as number) / size;
  const result = matrix.slice();
  for (let i = 0; i < size; i++) result[i * size + i] = (result[i * size + i] as number) + (share * mean || 1);
  return result;
}

function factored(matrix: Float64Array, size: number): Float64Array {
  const factor = cholesky(matrix, size);
  if (!factor)
    throw new DeviceError(
      `The products of ${size} channels cannot be factored. Their sums are damaged: collect them again on the CPU backend.`,
    );
  return factor;
}

function dot(rows: Float64Array, first: number, second: number, width: number): number {
  let sum = 0;
  for (let k = 0; k < width; k++) sum += (rows[first * width + k] as number) * (rows[second * width + k] as number);
  return sum;
}

function block(
  matrix: Float64Array,
  stride: number,
  rowPlaces: readonly number[],
  columnPlaces: readonly number[],
): Float64Array {
  const width = columnPlaces.length;
  const result = new Float64Array(rowPlaces.length * width);
  for (const [i, row] of rowPlaces.entries())
    for (let j = 0; j < width; j++)
      result[i * width + j] = matrix[row * stride + (columnPlaces[j] as number)] as number;
  return result;
}

function whole(data: Float64Array, stride: number) {
  return { data, offset: 0, stride };
}
