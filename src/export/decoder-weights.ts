import type { WeightBinding } from '../architecture/architecture.ts';
import { checkWeight } from '../architecture/weights.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { MissingError } from '../errors.ts';
import { float, type GraphBuilder } from '../onnx/builder.ts';
import { type ExportFormat, QUANTISATION_BLOCK } from './dtypes.ts';
import type { WeightFile } from './weight-file.ts';

const MICROSOFT = { domain: 'com.microsoft' };

/** MatMulNBits' accuracy_level: activations are rounded to 8 bits per block, so that the CPU's integer dot products do the work. */
const INTEGER_ACTIVATIONS = 4;

/** The weights of one program, by role ('attention.query'), with those that the checkpoint does not have told apart from those that must be there. */
export class Roles {
  readonly #bindings: ReadonlyMap<string, WeightBinding>;
  readonly #checkpoint: Checkpoint;

  constructor(checkpoint: Checkpoint, bindings: readonly WeightBinding[]) {
    this.#checkpoint = checkpoint;
    this.#bindings = new Map(bindings.map((binding) => [binding.input, binding]));
  }

  /** Throws MissingError and MismatchError when the checkpoint's tensor is not there or not of the config's shape. */
  get(role: string): WeightBinding {
    const binding = this.#bindings.get(role);
    if (!binding) throw new MissingError(`The architecture binds no weight to ${role}, which the decoder needs.`);
    checkWeight(this.#checkpoint, binding);
    return binding;
  }

  /** A weight that most checkpoints do not have, such as a bias. */
  optional(role: string): WeightBinding | undefined {
    const binding = this.#bindings.get(role);
    return binding && this.#checkpoint.tensors.has(binding.tensor) ? this.get(role) : undefined;
  }
}

/** Adds weights to a graph in the number format of the export, and the operators that read them. */
export class WeightedOperators {
  readonly #builder: GraphBuilder;
  readonly #file: WeightFile;
  readonly #format: ExportFormat;

  constructor(builder: GraphBuilder, file: WeightFile, format: ExportFormat) {
    this.#builder = builder;
    this.#file = file;
    this.#format = format;
  }

  /** The tensor itself, in the checkpoint's layout and under its name; stored once however often it is asked for. */
  tensor(binding: WeightBinding): string {
    if (this.#builder.has(binding.tensor)) return binding.tensor;
    return this.#builder.initializer(binding.tensor, this.#file.rows(binding.tensor, binding, this.#format.activations));
  }

  /** x [..., in] -> x W^T (+ bias) [..., out]. */
  linear(input: string, weight: WeightBinding, bias?: WeightBinding): string {
    const product = this.#format.bits === undefined ? this.#matMul(input, weight) : this.#blockwiseMatMul(input, weight, this.#format.bits);
    return bias ? this.#builder.add('Add', [product, this.tensor(bias)]) : product;
  }

  /** MatMul with a constant right side is what every backend prepares for: its weight is [in, out], the checkpoint's transposed. */
  #matMul(input: string, weight: WeightBinding): string {
    const name = `${weight.tensor}_transposed`;
    return this.#builder.add('MatMul', [input, this.#builder.initializer(name, this.#file.transposed(name, weight, this.#format.activations))]);
  }

  #blockwiseMatMul(input: string, weight: WeightBinding, bits: 4 | 8): string {
    const [N = 0, K = 0] = weight.shape;
    const { values, scales, zeroPoints } = this.#file.quantised(weight.tensor, weight, bits, this.#format.activations);
    const names = [
      this.#builder.initializer(`${weight.tensor}_quantised`, values),
      this.#builder.initializer(`${weight.tensor}_scales`, scales),
      this.#builder.initializer(`${weight.tensor}_zero_points`, zeroPoints),
    ];
    const attributes = { K, N, bits, block_size: QUANTISATION_BLOCK, accuracy_level: INTEGER_ACTIVATIONS };
    return this.#builder.add('MatMulNBits', [input, ...names], attributes, MICROSOFT);
  }
}

/**
 * The residual stream of a decoder: modules read it through a norm and add to it. An addition waits for the next norm, into which ONNX
 * Runtime fuses it together with the module's bias (SkipSimplifiedLayerNormalization).
 */
export class ResidualStream {
  readonly #builder: GraphBuilder;
  readonly #operators: WeightedOperators;
  readonly #epsilon: number;
  #value: string;
  #waiting: { readonly output: string; readonly bias: WeightBinding | undefined } | undefined;

  /** `value` is the embedding [batch, sequence, hiddenSize]. */
  constructor(builder: GraphBuilder, operators: WeightedOperators, value: string, epsilon: number) {
    this.#builder = builder;
    this.#operators = operators;
    this.#value = value;
    this.#epsilon = epsilon;
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
  normalised(weight: WeightBinding): string {
    const scale = this.#operators.tensor(weight);
    const epsilon = float(this.#epsilon);
    if (!this.#waiting) return this.#builder.add('SimplifiedLayerNormalization', [this.#value, scale], { axis: -1, epsilon, stash_type: 1 });
    const { output, bias } = this.#waiting;
    this.#waiting = undefined;
    const normed = this.#builder.unique('normed');
    const sum = this.#builder.unique('residual');
    this.#builder.append({
      name: `node/${normed}`,
      operator: 'SkipSimplifiedLayerNormalization',
      domain: 'com.microsoft',
      inputs: [this.#value, output, scale, ...(bias ? [this.#operators.tensor(bias)] : [])],
      outputs: [normed, '', '', sum],
      attributes: { epsilon },
    });
    this.#value = sum;
    return normed;
  }

  /** Does a waiting addition without a norm, which happens only where a module was removed and its bias stayed. */
  #settle(): void {
    if (!this.#waiting) return;
    const { output, bias } = this.#waiting;
    this.#waiting = undefined;
    this.#value = this.#builder.add('Add', [this.#value, output]);
    if (bias) this.#value = this.#builder.add('Add', [this.#value, this.#operators.tensor(bias)]);
  }
}
