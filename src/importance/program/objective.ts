import type { Programs } from '../../architecture/programs.ts';
import type { DeviceWeights } from '../../architecture/weights.ts';
import { type Teacher, teacherGradient } from '../../evaluate/divergence/teacher.ts';
import { createRandom } from '../../random.ts';
import type { HostTensor } from '../../runtime/runtime.ts';

/**
 * What importance is the gradient of (docs/method.md section 2): cross-entropy with the text's next tokens; with tokens drawn from the model's own distribution, whose squared gradients have the Fisher
 * information as their mean, the curvature of KL from the model as it is; or KL from a teacher, for a model that was pruned already.
 */
export type Objective =
  | { readonly kind: 'text' }
  | {
      readonly kind: 'model';
      /** Times that the labels of each window are drawn: so many gradients a window. */
      readonly draws: number;
      readonly seed: number;
      /** Place of the first window in the whole run, so that shards draw what one run would. Default 0. */
      readonly firstWindow?: number | undefined;
    }
  | { readonly kind: 'teacher'; readonly teacher: Teacher };

/** Gradients of each window. */
export function drawsOf(objective: Objective): number {
  return objective.kind === 'model' ? objective.draws : 1;
}

/** Some rows of states after the last block, of windows of `tokens` that follow each other. */
export interface HeadRows {
  readonly chunk: HostTensor;
  /** Place of the first row among the positions of all windows. */
  readonly first: number;
  readonly tokens: number;
  /** The text's next tokens, and the weight of each row in the mean of its window: 0 for the last one, which predicts nothing. */
  readonly targets: BigInt64Array;
  readonly weights: Float32Array;
}

/** Losses of the rows in nats (those of the text, or for a teacher KL from it), and for each draw the gradient of their weighted sum with respect to the states [rows, hiddenSize]. */
export async function objectiveGradients(
  programs: Programs,
  head: DeviceWeights,
  objective: Objective,
  rows: HeadRows,
): Promise<{ readonly losses: ArrayLike<number>; readonly gradients: readonly Float32Array[] }> {
  const { chunk, first, tokens, targets, weights } = rows;
  if (objective.kind === 'text') {
    const { losses, gradient } = await programs.lossGradient(head, chunk, targets, weights);
    return { losses, gradients: [gradient] };
  }
  const { losses, probabilities } = await programs.probabilities(head, chunk, targets);
  const width = programs.architecture.config.vocabulary;
  const rowOf = (values: Float32Array, row: number) => values.subarray(row * width, (row + 1) * width);
  if (objective.kind === 'teacher') {
    const divergences = Float64Array.from(weights, (weight, row) =>
      teacherGradient(objective.teacher, first + row, rowOf(probabilities, row), weight),
    );
    return { losses: divergences, gradients: [await programs.logitsBackward(head, chunk, probabilities)] };
  }
  const labels = Array.from({ length: objective.draws }, (_, draw) =>
    Array.from(weights, (_weight, row) => {
      const window = Math.floor((first + row) / tokens) + (objective.firstWindow ?? 0);
      const seed = mix(mix(mix(objective.seed, draw), window), (first + row) % tokens);
      return drawn(rowOf(probabilities, row), createRandom(seed).uniform());
    }),
  );
  // d/dz (log sum exp z - z_y) = p - onehot(y)
  weights.forEach((weight, row) => {
    const own = rowOf(probabilities, row);
    for (let token = 0; token < width; token++) own[token] = (own[token] as number) * weight;
  });
  const gradients: Float32Array[] = [];
  for (const chosen of labels) {
    const add = (sign: 1 | -1) => {
      for (const [row, label] of chosen.entries())
        probabilities[row * width + label] =
          (probabilities[row * width + label] as number) + sign * (weights[row] as number);
    };
    add(-1);
    gradients.push(await programs.logitsBackward(head, chunk, probabilities));
    add(1);
  }
  return { losses, gradients };
}

/** The token at which the sum of probabilities passes `uniform`, in their order. */
function drawn(probabilities: Float32Array, uniform: number): number {
  let sum = 0;
  for (let token = 0; token < probabilities.length; token++) {
    sum += probabilities[token] as number;
    if (uniform < sum) return token;
  }
  // Rounding left a little: the last one that can be.
  return probabilities.findLastIndex((chance) => chance > 0);
}

/** One seed from two. */
function mix(seed: number, value: number): number {
  return (Math.imul(seed ^ Math.imul(value + 1, 0x9e3779b1), 0x85ebca6b) ^ (seed >>> 13)) | 0;
}
