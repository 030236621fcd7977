import { convolutionValues, windowedValue } from '../../architecture/convolution.ts';
import { UnsupportedError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { LinearMember } from './linear-members.ts';
import type { CoupledStructure } from './structures.ts';

/** A weight of grouped channels that no matrix product reads: the kernel of a convolution [channels, 1, taps], what it adds [channels], or the sinks of attention [query heads]. */
export interface ChannelMember {
  readonly weight: string;
  readonly shape: readonly (number | string)[];
  /** The value with a copy of the weight for each window, [batch, ...shape], whose gradient is that of each window. */
  readonly windows: string;
  /** The convolution's input and output [rows, channels], where it belongs to one. */
  readonly convolution: { readonly input: string; readonly output: string } | undefined;
}

/** Finds the weights of a block's structures that are neither matrices nor biases of them. Throws UnsupportedError naming one that is not read window by window. */
export function channelMembers(
  block: Graph,
  structures: readonly CoupledStructure[],
  linear: readonly LinearMember[],
): ChannelMember[] {
  const known = new Set(linear.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias])));
  return structures.flatMap(({ members }) => {
    const shapeOf = (weight: string) => block.inputs.find(({ name }) => name === weight)?.shape ?? [];
    const kernel = members.find(({ weight }) => shapeOf(weight).length === 3)?.weight;
    return members
      .filter(({ weight }) => !known.has(weight))
      .map(({ weight }): ChannelMember => {
        const readers = block.nodes.filter(({ inputs }) => inputs.includes(weight));
        const windows = windowedValue(weight);
        const known = readers.filter(({ operator }) => operator !== 'Shape');
        if (known.length !== 1 || known[0]?.outputs[0] !== windows)
          throw new UnsupportedError(
            `The weight ${weight} is read by ${readers.map(({ operator }) => operator).join(', ') || 'nothing'}; scoring needs a matrix product, its bias, or the channels of a convolution.`,
          );
        return {
          weight,
          shape: shapeOf(weight),
          windows,
          convolution: kernel === undefined ? undefined : convolutionValues(kernel),
        };
      });
  });
}
