import type { DecoderDesign, WeightBinding } from '../architecture/architecture.ts';
import { float, type GraphBuilder } from '../onnx/builder.ts';
import { weightName } from '../onnx/weight-names.ts';
import { type ExportFormat, QUANTISATION_BLOCK } from './dtypes.ts';
import { type NamedInitializer, nameOf, stackedShape, type WeightFile } from './weight-file.ts';

const MICROSOFT = { domain: 'com.microsoft' };

/** MatMulNBits' accuracy_level: activations are rounded to 8 bits per block, so that the CPU's integer dot products do the work. */
const INTEGER_ACTIVATIONS = 4;

/** Weights of a norm; the bias is that of layer normalisation. */
export interface NormWeights {
  readonly weight: WeightBinding;
  readonly bias?: WeightBinding | undefined;
}

/** What of the weights is stored in another way than the format says. */
export interface StoredWeights {
  /** Whether they are stored as the checkpoint holds them in blocks. */
  readonly isGrouped: (weights: readonly WeightBinding[], bits: 4 | 8) => boolean;
  /** Tensors of the blocks in 8 bits where others are in 4 (`sensitiveTensors`). */
  readonly inEightBits: ReadonlySet<string>;
}

/** Adds weights to a graph in the number format of the export, and the operators that read them. */
export class WeightedOperators {
  readonly #builder: GraphBuilder;
  readonly #file: WeightFile;
  readonly #format: ExportFormat;
  readonly #epsilon: number;
  readonly #kind: DecoderDesign['norm'];
  readonly #stored: StoredWeights;
  /** Sums of an input over its blocks, which several products share. */
  readonly #sums = new Map<string, string>();

  /** `norms` are alike everywhere. */
  constructor(
    builder: GraphBuilder,
    file: WeightFile,
    format: ExportFormat,
    norms: { readonly epsilon: number; readonly kind: DecoderDesign['norm'] },
    stored: StoredWeights,
  ) {
    this.#builder = builder;
    this.#file = file;
    this.#format = format;
    this.#epsilon = norms.epsilon;
    this.#kind = norms.kind;
    this.#stored = stored;
  }

  /** The tensor itself, in the checkpoint's layout; stored once however often it is asked for. */
  tensor(binding: WeightBinding): string {
    const known = weightName({ ...binding, layout: 'plain' });
    return this.#builder.has(known) ? known : this.#add(this.#file.plain(binding, this.#format.activations));
  }

  /** Rows [..., hiddenSize] of the embedding [vocabulary, hiddenSize] at `ids`. */
  embed(ids: string, embedding: WeightBinding): string {
    const lookUp = (table: string) => this.#builder.add('Gather', [table, ids], { axis: 0 });
    const bits = this.#format.embeddingBits;
    if (bits === undefined) return lookUp(this.tensor(embedding));
    // The blocks that MatMulNBits reads, so that a tied matrix is stored once. GatherBlockQuantized would do this at once, but the WebAssembly build lacks it.
    const [values = '', scales = '', zeroPoints = ''] = this.#blocks([embedding], bits);
    const elements = this.#builder.add('CastLike', [lookUp(values), scales]);
    const perBlock = (value: string) => this.#builder.add('Unsqueeze', [value, this.#builder.integers([-1])]);
    const centred = this.#builder.add('Sub', [
      elements,
      perBlock(this.#builder.add('CastLike', [lookUp(zeroPoints), scales])),
    ]);
    const rows = this.#builder.add('Mul', [centred, perBlock(lookUp(scales))]);
    const padded = this.#builder.add('Reshape', [rows, this.#builder.integers([0, 0, -1])]);
    const hiddenSize = embedding.shape[1] ?? 0;
    if (hiddenSize % QUANTISATION_BLOCK === 0) return padded;
    return this.#builder.add('Slice', [
      padded,
      this.#builder.integers([0]),
      this.#builder.integers([hiddenSize]),
      this.#builder.integers([-1]),
    ]);
  }

  /** rows [n, hiddenSize] times the output matrix [vocabulary, hiddenSize], which is the embedding itself where the two are tied: [n, vocabulary]. */
  project(
    rows: string,
    projection: WeightBinding,
    bias: WeightBinding | undefined,
    options: { readonly name?: string } = {},
  ): string {
    const bits = this.#format.embeddingBits;
    if (bits === undefined) {
      const inputs = [rows, this.tensor(projection), ...(bias ? [this.tensor(bias)] : [])];
      return this.#builder.add('Gemm', inputs, { transB: 1 }, options);
    }
    const product = this.#blockwiseMatMul(rows, [projection], bits, bias ? {} : options);
    return bias ? this.#builder.add('Add', [product, this.tensor(bias)], {}, options) : product;
  }

  /** x [..., in] -> x W^T (+ bias) [..., out]. */
  linear(input: string, weight: WeightBinding, bias?: WeightBinding): string {
    return this.stackedLinear(input, [weight], bias ? [bias] : []);
  }

  /** The same in the format's activations whatever the weights are rounded to: for matrices that are small and decide much. */
  exactLinear(input: string, weight: WeightBinding, bias?: WeightBinding): string {
    const product = this.#matMul(input, [weight]);
    return bias ? this.#builder.add('Add', [product, this.tensor(bias)]) : product;
  }

  /** Several projections of one input as one product, their outputs side by side; biases of all or of none. */
  stackedLinear(input: string, weights: readonly WeightBinding[], biases: readonly WeightBinding[]): string {
    const product = this.#product(input, weights);
    const [bias] = biases;
    if (!bias) return product;
    const added =
      biases.length === 1 ? this.tensor(bias) : this.#add(this.#file.joined(biases, this.#format.activations));
    return this.#builder.add('Add', [product, added]);
  }

  /**
   * Root mean square normalisation over the last of three axes. ONNX Runtime's operator for it stands in ONNX's own domain, where checkers look for it in vain, and
   * its namesake with a residual sum does not: of x + x with four times epsilon it makes the same norm, and nothing is rounded by that, because powers of two come out of
   * root and sum exactly (only the order of its sum is that operator's own). Layer normalisation is ONNX's own operator.
   */
  norm(input: string, { weight, bias }: NormWeights): string {
    if (this.#kind === 'layer')
      return this.#builder.add(
        'LayerNormalization',
        [input, this.tensor(weight), ...(bias ? [this.tensor(bias)] : [])],
        { axis: -1, epsilon: float(this.#epsilon) },
      );
    return this.#builder.add(
      'SkipSimplifiedLayerNormalization',
      [input, input, this.tensor(weight)],
      { epsilon: float(4 * this.#epsilon) },
      MICROSOFT,
    );
  }

  /** The last of three axes, of so many numbers, divided by the root of the sum of its squares and `epsilon`: a norm with equal weights. */
  ofLengthOne(input: string, size: number, epsilon: number): string {
    const name = `length.${size}`;
    const made = () =>
      this.#add(
        this.#file.computed(name, [size], this.#format.activations, () => new Float32Array(size).fill(size ** -0.5)),
      );
    return this.#builder.add(
      'SkipSimplifiedLayerNormalization',
      [input, input, this.#builder.has(name) ? name : made()],
      { epsilon: float((4 * epsilon) / size) },
      MICROSOFT,
    );
  }

  /** Adds a module's output (and bias) to the residual stream and normalises the sum: [normalised, sum], as one operator. */
  addAndNorm(
    residual: string,
    output: string,
    bias: WeightBinding | undefined,
    norm: NormWeights,
  ): { readonly normed: string; readonly sum: string } {
    const normed = this.#builder.unique('normed');
    const sum = this.#builder.unique('residual');
    const isLayer = this.#kind === 'layer';
    const parameters = [this.tensor(norm.weight), ...(isLayer ? [norm.bias ? this.tensor(norm.bias) : ''] : [])];
    this.#builder.append({
      name: `node/${normed}`,
      operator: isLayer ? 'SkipLayerNormalization' : 'SkipSimplifiedLayerNormalization',
      domain: 'com.microsoft',
      inputs: [residual, output, ...parameters, ...(bias ? [this.tensor(bias)] : [])],
      outputs: [normed, '', '', sum],
      attributes: { epsilon: float(this.#epsilon) },
    });
    return { normed, sum };
  }

  /** One product for all weights, or one for each run of them that has the same number of bits. */
  #product(input: string, weights: readonly WeightBinding[]): string {
    const { bits } = this.#format;
    if (bits === undefined) return this.#matMul(input, weights);
    const runs: { readonly bits: 4 | 8; readonly weights: WeightBinding[] }[] = [];
    for (const weight of weights) {
      const own = this.#stored.inEightBits.has(weight.tensor) ? 8 : bits;
      const last = runs.at(-1);
      if (last?.bits === own) last.weights.push(weight);
      else runs.push({ bits: own, weights: [weight] });
    }
    const products = runs.map((run) => this.#blockwiseMatMul(input, run.weights, run.bits));
    return products.length === 1 ? (products[0] as string) : this.#builder.add('Concat', products, { axis: -1 });
  }

  /** MatMul with a constant right side is what every backend prepares for: its weight is [in, out], the checkpoint's transposed. */
  #matMul(input: string, weights: readonly WeightBinding[]): string {
    return this.#builder.add('MatMul', [input, this.#add(this.#file.transposed(weights, this.#format.activations))]);
  }

  #blockwiseMatMul(
    input: string,
    weights: readonly WeightBinding[],
    bits: 4 | 8,
    options: { readonly name?: string } = {},
  ): string {
    const { outputs: N, inputs: K } = stackedShape(weights);
    const attributes = { K, N, bits, block_size: QUANTISATION_BLOCK, accuracy_level: INTEGER_ACTIVATIONS };
    if (this.#stored.isGrouped(weights, bits)) return this.#groupedMatMul(input, weights, bits, attributes);
    return this.#builder.add('MatMulNBits', [input, ...this.#blocks(weights, bits)], attributes, {
      ...MICROSOFT,
      ...options,
    });
  }

  /** x W^T of weights with remainders: the product of the blocks, and that of the remainders with the sums of x [..., in] over each block. */
  #groupedMatMul(
    input: string,
    weights: readonly WeightBinding[],
    bits: 4 | 8,
    attributes: Readonly<Record<string, number>>,
  ): string {
    const [values = '', scales = '', zeroPoints = '', remainders = ''] = this.#file
      .grouped(weights, bits, this.#format.activations)
      .map((part) => this.#add(part));
    const product = this.#builder.add('MatMulNBits', [input, values, scales, zeroPoints], attributes, MICROSOFT);
    const sums = this.#blockSums(input, stackedShape(weights).inputs);
    return this.#builder.add('Add', [product, this.#builder.add('MatMul', [sums, remainders])]);
  }

  /** Sums of x [..., in] over its blocks: [..., blocks]. */
  #blockSums(input: string, inputs: number): string {
    const known = this.#sums.get(input);
    if (known !== undefined) return known;
    const missing = -inputs & (QUANTISATION_BLOCK - 1);
    const zero = () => this.#builder.add('CastLike', [this.#builder.constant([0]), input]);
    const padded =
      missing === 0
        ? input
        : this.#builder.add('Pad', [input, this.#builder.integers([0, 0, 0, 0, 0, missing]), zero()]);
    const inBlocks = this.#builder.add('Reshape', [padded, this.#builder.integers([0, 0, -1, QUANTISATION_BLOCK])]);
    const sums = this.#builder.add('ReduceSum', [inBlocks, this.#builder.integers([-1])], { keepdims: 0 });
    this.#sums.set(input, sums);
    return sums;
  }

  /** Elements, scales and zero points of a matrix; stored once however often they are asked for. */
  #blocks(weights: readonly WeightBinding[], bits: 4 | 8): readonly string[] {
    const names = (['quantised', 'scales', 'zero_points'] as const).map((layout) => nameOf(weights, layout));
    if (names.every((name) => this.#builder.has(name))) return names;
    return this.#file.quantised(weights, bits, this.#format.activations).map((part) => this.#add(part));
  }

  #add({ name, initializer }: NamedInitializer): string {
    return this.#builder.initializer(name, initializer);
  }
}
