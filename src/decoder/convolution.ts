import type { ModelConfig } from '../architecture/architecture.ts';
import type { GraphBuilder } from '../onnx/builder.ts';
import type { Dimension } from '../onnx/graph.ts';

/** The cache of a layer that convolves: its last inputs, [batch, channels, taps], as transformers.js knows it. */
export interface ConvolutionState {
  readonly input: string;
  readonly output: string;
  readonly shape: readonly Dimension[];
}

/** The caches of all layers that convolve. */
export function convolutionStates({ layerWidths, convolution }: ModelConfig): ConvolutionState[] {
  return layerWidths.flatMap(({ channels = 0 }, layer) =>
    channels > 0 && convolution
      ? [
          {
            input: `past_conv.${layer}`,
            output: `present_conv.${layer}`,
            shape: ['batch_size', channels, convolution.kernel],
          },
        ]
      : [],
  );
}

export interface CachedConvolution {
  /** [batch, sequence, channels] */
  readonly value: string;
  /** [channels, 1, taps] */
  readonly kernel: string;
  /** [channels] */
  readonly bias: string | undefined;
  readonly channels: number;
  readonly taps: number;
  /** [batch, channels, taps]: the inputs before those of `value`, the last of them at the end; zero before the first token. */
  readonly past: string;
  /** What the next run gets as `past`. */
  readonly present: string;
}

/** A causal convolution of each channel by its own kernel, over present tokens and cached ones. Returns [batch, sequence, channels]. */
export function cachedConvolution(builder: GraphBuilder, inputs: CachedConvolution): string {
  const { value, kernel, bias, channels, taps, past, present } = inputs;
  const fromEnd = (source: string, start: number, options: { readonly name?: string } = {}) =>
    builder.add(
      'Slice',
      [source, builder.integers([start]), builder.integers([Number.MAX_SAFE_INTEGER]), builder.integers([2])],
      {},
      options,
    );
  const swapped = (source: string) => builder.add('Transpose', [source], { perm: [0, 2, 1] });
  const all = builder.add('Concat', [past, swapped(value)], { axis: 2 });
  fromEnd(all, -taps, { name: present });
  // The oldest cached input is beyond the reach of the first present token.
  const convolved = builder.add('Conv', [fromEnd(all, 1), kernel, ...(bias === undefined ? [] : [bias])], {
    group: channels,
    kernel_shape: [taps],
  });
  return swapped(convolved);
}
