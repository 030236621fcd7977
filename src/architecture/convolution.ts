import type { GraphBuilder } from '../onnx/builder.ts';

/** What the `tap`-th of `taps` taps sees of a sequence [batch, tokens + taps - 1, channels] that begins with zeros: [batch, tokens, channels]. */
export function shifted(builder: GraphBuilder, padded: string, tap: number, taps: number): string {
  const end = tap === taps - 1 ? Number.MAX_SAFE_INTEGER : tap + 1 - taps;
  return builder.add('Slice', [padded, builder.integers([tap]), builder.integers([end]), builder.integers([1])]);
}

/** What a gated short convolution reads: three projections [rows, channels] of the same rows, the leading [batch, tokens] sizes, and the weights of its channels. */
export interface ConvolutionInputs {
  /** Multiplies what enters the convolution. */
  readonly inputGate: string;
  /** Multiplies what leaves it. */
  readonly outputGate: string;
  readonly value: string;
  /** int64 [2] holding batch and tokens. */
  readonly leading: string;
  /** Weight [channels, 1, taps]; the last tap is that of the token itself. */
  readonly kernel: string;
  readonly taps: number;
  /** Weight [channels] that the convolution adds, where the architecture has it. */
  readonly bias: string | undefined;
}

/** Values of a block program that a convolution's weights are scored from, by the weight that is the kernel. */
export const convolutionValues = (kernel: string) => ({
  /** [rows, channels] */
  input: `${kernel}.input`,
  output: `${kernel}.output`,
});

/** The value in which each window has a copy of its own of a weight that is no matrix, [batch, ...]: its gradient is that of each window. */
export const windowedValue = (weight: string) => `${weight}.windows`;

/**
 * Gated short convolution (LFM2, arXiv 2511.23404): outputGate * (kernel over inputGate * value), where each channel sees itself and the `taps` - 1 tokens before. Made of
 * shifts and products, which every backend has and which are differentiated as they are. Returns [rows, channels].
 */
export function gatedConvolution(builder: GraphBuilder, inputs: ConvolutionInputs): string {
  const { leading, kernel, taps, bias } = inputs;
  const values = convolutionValues(kernel);
  const batch = builder.add('Slice', [leading, builder.integers([0]), builder.integers([1])]);
  const channels = builder.add('Shape', [inputs.value], { start: 1, end: 2 });
  const sizes = (...parts: string[]) => builder.add('Concat', parts, { axis: 0 });
  const gated = builder.add('Mul', [inputs.inputGate, inputs.value], {}, { name: values.input });
  const sequence = builder.add('Reshape', [gated, sizes(leading, builder.integers([-1]))]);
  const zeros = builder.add('Expand', [builder.constant([0]), sizes(batch, builder.integers([taps - 1]), channels)]);
  const padded = taps === 1 ? sequence : builder.add('Concat', [zeros, sequence], { axis: 1 });
  const perWindow = (weight: string, tail: readonly string[]) =>
    builder.add('Expand', [weight, sizes(batch, ...tail)], {}, { name: windowedValue(weight) });

  const windowed = perWindow(kernel, [channels, builder.integers([1]), builder.integers([taps])]);
  const columns = builder.addMany('Split', [windowed, builder.integers(Array(taps).fill(1))], taps, { axis: 3 });
  const terms = columns.map((column, tap) => {
    // [batch, channels, 1, 1] -> [batch, 1, channels]
    const factor = builder.add('Transpose', [builder.add('Squeeze', [column, builder.integers([3])])], {
      perm: [0, 2, 1],
    });
    return builder.add('Mul', [shifted(builder, padded, tap, taps), factor]);
  });
  if (bias !== undefined) terms.push(builder.add('Unsqueeze', [perWindow(bias, [channels]), builder.integers([1])]));
  const sum = terms.reduce((left, right) => builder.add('Add', [left, right]));
  const convolved = builder.add('Reshape', [sum, builder.add('Shape', [gated])], {}, { name: values.output });
  return builder.add('Mul', [inputs.outputGate, convolved]);
}
