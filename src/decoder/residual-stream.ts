import type { WeightBinding } from '../architecture/architecture.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { NormWeights, WeightedOperators } from './weighted-operators.ts';

/**
 * The residual stream of a decoder: modules read it through a norm and add to it. An addition waits for the next norm, into which ONNX
 * Runtime fuses it together with the module's bias (SkipSimplifiedLayerNormalization).
 */
export class ResidualStream {
  readonly #builder: GraphBuilder;
  readonly #operators: WeightedOperators;
  #value: string;
  #waiting: { readonly output: string; readonly bias: WeightBinding | undefined } | undefined;

  /** `value` is the embedding [batch, sequence, hiddenSize]. */
  constructor(builder: GraphBuilder, operators: WeightedOperators, value: string) {
    this.#builder = builder;
    this.#operators = operators;
    this.#value = value;
  }

  /** Adds a module's output, and its bias if it has one. */
  add(output: string, bias: WeightBinding | undefined): void {
    this.#settle();
    this.#waiting = { output, bias };
  }

  /** Adds the bias of a module of which nothing else is left. */
  addBias(bias: WeightBinding | undefined): void {
    if (!bias) return;
    this.#settle();
    this.#value = this.#builder.add('Add', [this.#value, this.#operators.tensor(bias)]);
  }

  /** The normalised stream that the next module reads. */
  normalised(norm: NormWeights): string {
    if (!this.#waiting) return this.#operators.norm(this.#value, norm);
    const { output, bias } = this.#waiting;
    this.#waiting = undefined;
    const { normed, sum } = this.#operators.addAndNorm(this.#value, output, bias, norm);
    this.#value = sum;
    return normed;
  }

  /** The stream as it is, for a module without a norm of its own. */
  current(): string {
    this.#settle();
    return this.#value;
  }

  /** Does a waiting addition without a norm. */
  #settle(): void {
    if (!this.#waiting) return;
    const { output, bias } = this.#waiting;
    this.#waiting = undefined;
    this.#value = this.#builder.add('Add', [this.#value, output]);
    if (bias) this.#value = this.#builder.add('Add', [this.#value, this.#operators.tensor(bias)]);
  }
}
