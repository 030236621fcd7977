import { MismatchError, UnsupportedError } from '../../errors.ts';
import type { Graph, Node, ValueInfo } from '../../onnx/graph.ts';
import type { CoupledStructure } from './structures.ts';

/** Where one weight of a structure enters the block: the linear layer Y = X W^T (+ bias) that reads it, and the axis that carries the groups. */
export interface LinearMember {
  readonly weight: string;
  /** 0: rows (output channels) are grouped; 1: columns (input channels). */
  readonly axis: 0 | 1;
  readonly shape: readonly (number | string)[];
  readonly input: string;
  readonly output: string;
  /** A grouped bias of the same linear layer. */
  readonly bias: string | undefined;
}

/** Finds the linear layer of every two-dimensional member weight. Throws UnsupportedError naming a weight that anything but a Gemm with transB reads. */
export function linearMembers(block: Graph, structures: readonly CoupledStructure[]): LinearMember[] {
  const grouped = new Map(
    structures.flatMap(({ members }) => members.map((member) => [member.weight, member] as const)),
  );
  const members: LinearMember[] = [];
  for (const member of grouped.values()) {
    const declared = block.inputs.find(({ name }) => name === member.weight);
    if (!declared)
      throw new MismatchError(`Discovery names the weight ${member.weight}, which is no input of the block.`);
    if (declared.shape.length !== 2) continue;
    const { bias, ...layer } = linearLayer(block, declared);
    members.push({
      ...layer,
      axis: member.axis === 0 ? 0 : 1,
      bias: bias !== undefined && grouped.has(bias) ? bias : undefined,
    });
  }
  return members;
}

/** The linear layer that reads a weight of the block, a declared input of two axes. Throws as `linearMembers` does. */
export function linearLayer(
  block: Graph,
  { name, shape }: Pick<ValueInfo, 'name' | 'shape'>,
): Omit<LinearMember, 'axis'> {
  const { inputs, outputs } = consumer(block, name);
  return { weight: name, shape, input: inputs[0] ?? '', output: outputs[0] ?? '', bias: inputs[2] };
}

function consumer(block: Graph, weight: string): Node {
  const nodes = block.nodes.filter((node) => node.inputs.includes(weight));
  const node = nodes[0];
  const transposed = node?.attributes.transB;
  if (
    !node ||
    nodes.length > 1 ||
    node.operator !== 'Gemm' ||
    node.inputs[1] !== weight ||
    transposed?.kind !== 'int' ||
    transposed.value !== 1
  ) {
    throw new UnsupportedError(
      `The weight ${weight} is read by ${nodes.map(({ operator }) => operator).join(', ') || 'nothing'}; scoring needs exactly one Gemm with transB=1.`,
    );
  }
  return node;
}
