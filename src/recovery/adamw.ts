import { MismatchError, UsageError } from '../errors.ts';

export interface AdamWOptions {
  /** Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled: a share of the rate that every parameter shrinks by. Default 0. */
  readonly weightDecay?: number;
}

/** All that continuing a training needs, as plain arrays. */
export interface AdamWState {
  readonly step: number;
  readonly first: readonly Float32Array[];
  readonly second: readonly Float32Array[];
}

/** Adam with decoupled weight decay (Loshchilov and Hutter 2019), updating parameters in place. Moments are float32, so that a stored state goes on exactly. */
export class AdamW {
  readonly parameters: readonly Float32Array[];
  readonly #first: readonly Float32Array[];
  readonly #second: readonly Float32Array[];
  readonly #options: Required<AdamWOptions>;
  #step: number;

  /** Throws MismatchError for a state of other parameters. */
  constructor(parameters: readonly Float32Array[], options: AdamWOptions = {}, state?: AdamWState) {
    this.parameters = parameters;
    this.#options = {
      betas: options.betas ?? [0.9, 0.999],
      epsilon: options.epsilon ?? 1e-8,
      weightDecay: options.weightDecay ?? 0,
    };
    const moments = (stored: readonly Float32Array[] | undefined) =>
      parameters.map((parameter, index) => {
        const known = stored?.[index];
        if (stored && known?.length !== parameter.length)
          throw new MismatchError(
            `The stored optimiser state has ${known?.length ?? 0} values for parameter ${index}, which has ${parameter.length}.`,
          );
        return known ? known.slice() : new Float32Array(parameter.length);
      });
    this.#first = moments(state?.first);
    this.#second = moments(state?.second);
    this.#step = state?.step ?? 0;
  }

  /** One update by gradients of the same sizes. */
  update(gradients: readonly Float32Array[], rate: number): void {
    const [beta1, beta2] = this.#options.betas;
    const { epsilon, weightDecay } = this.#options;
    this.#step += 1;
    const correction1 = 1 - beta1 ** this.#step;
    const correction2 = Math.sqrt(1 - beta2 ** this.#step);
    for (const [index, parameter] of this.parameters.entries()) {
      const gradient = gradients[index];
      const first = this.#first[index];
      const second = this.#second[index];
      if (!first || !second || gradient?.length !== parameter.length)
        throw new MismatchError(
          `Parameter ${index} has ${parameter.length} values and its gradient ${gradient?.length ?? 0}.`,
        );
      for (let place = 0; place < parameter.length; place++) {
        const slope = gradient[place] as number;
        const mean = beta1 * (first[place] as number) + (1 - beta1) * slope;
        const square = beta2 * (second[place] as number) + (1 - beta2) * slope * slope;
        first[place] = mean;
        second[place] = square;
        const kept = (parameter[place] as number) * (1 - rate * weightDecay);
        parameter[place] = kept - ((rate / correction1) * mean) / (Math.sqrt(square) / correction2 + epsilon);
      }
    }
  }

  /** A copy of the state, to be stored. */
  state(): AdamWState {
    return {
      step: this.#step,
      first: this.#first.map((moment) => moment.slice()),
      second: this.#second.map((moment) => moment.slice()),
    };
  }
}

/**
 * Learning rate of step 0, 1, …: a line from 0 over `warmUp` steps to `peak`, then half a cosine to 0 at `total`
 * (transformers' get_cosine_schedule_with_warmup). Throws UsageError for more warm-up than steps.
 */
export function cosineRate(
  step: number,
  { peak, warmUp, total }: { readonly peak: number; readonly warmUp: number; readonly total: number },
): number {
  if (warmUp > total)
    throw new UsageError(`A warm-up of ${warmUp} steps is longer than the whole training of ${total}.`);
  if (step < warmUp) return (peak * step) / warmUp;
  const progress = (step - warmUp) / Math.max(1, total - warmUp);
  return Math.max(0, peak * 0.5 * (1 + Math.cos(Math.PI * progress)));
}

/** Scales gradients in place so that their common norm is at most `longest`; returns the norm before (torch.nn.utils.clip_grad_norm_). */
export function clipGradients(gradients: readonly Float32Array[], longest: number): number {
  let squares = 0;
  for (const gradient of gradients) for (const value of gradient) squares += value * value;
  const norm = Math.sqrt(squares);
  const factor = longest / (norm + 1e-6);
  if (factor >= 1) return norm;
  for (const gradient of gradients)
    for (let index = 0; index < gradient.length; index++) gradient[index] = (gradient[index] as number) * factor;
  return norm;
}
