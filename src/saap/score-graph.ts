import { MismatchError, UnsupportedError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import { differentiate } from '../passes/differentiate.ts';
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

/** What a scoring run computes besides the gradient that it passes on. */
export interface ScoreGraphOptions {
  /** `inline`: element metrics from this run's weight gradient (one window per run); `outputs`: X and dY are outputs for a kernel; `none`. */
  readonly elements: 'inline' | 'outputs' | 'none';
}

/** Finds the linear layer of every two-dimensional member weight. Throws UnsupportedError naming a weight that anything but a Gemm with transB reads. */
export function linearMembers(block: Graph, structures: readonly CoupledStructure[]): LinearMember[] {
  const grouped = new Map(structures.flatMap(({ members }) => members.map((member) => [member.weight, member] as const)));
  const members: LinearMember[] = [];
  for (const member of grouped.values()) {
    const declared = block.inputs.find(({ name }) => name === member.weight);
    if (!declared) throw new MismatchError(`Discovery names the weight ${member.weight}, which is no input of the block.`);
    if (declared.shape.length !== 2) continue;
    const node = consumer(block, member.weight);
    const bias = node.inputs[2];
    members.push({
      weight: member.weight,
      axis: member.axis === 0 ? 0 : 1,
      shape: declared.shape,
      input: node.inputs[0] ?? '',
      output: node.outputs[0] ?? '',
      bias: bias !== undefined && grouped.has(bias) ? bias : undefined,
    });
  }
  return members;
}

function consumer(block: Graph, weight: string): Node {
  const nodes = block.nodes.filter((node) => node.inputs.includes(weight));
  const node = nodes[0];
  const transposed = node?.attributes.transB;
  if (!node || nodes.length > 1 || node.operator !== 'Gemm' || node.inputs[1] !== weight || transposed?.kind !== 'int' || transposed.value !== 1) {
    throw new UnsupportedError(
      `The weight ${weight} is read by ${nodes.map(({ operator }) => operator).join(', ') || 'nothing'}; scoring needs exactly one Gemm with transB=1.`,
    );
  }
  return node;
}

/**
 * The program that scores one layer: recomputes the block, differentiates it and reduces at once (METHOD.md section 2).
 * Inputs beside the block's: `outputGradient`; with inline elements `first/<weight>` and `second/<weight>` accumulators.
 * Outputs: `gradient/hidden`; per member `signed/<weight>` [batch, channels] and `signed/<bias>` of a grouped bias (the v_jm per channel, from activations and their gradients only);
 * for column members `sum/<weight>` and `squares/<weight>` [channels] of their input; inline: `absolute/<weight>` [channels] (sum of |w g_j|)
 * and the accumulators `first/<weight>/next` (w g) and `second/<weight>/next` (w^2 g^2); as outputs: `input/<weight>` [rows, in], `outputGradient/<weight>` [rows, out].
 */
export function scoreGraph(block: Graph, members: readonly LinearMember[], bindings: Readonly<Record<string, number>>, options: ScoreGraphOptions): Graph {
  const inline = options.elements === 'inline';
  const needsOutputGradient = (member: LinearMember) => member.axis === 0 || options.elements === 'outputs';
  const wrt = new Set<string>(['hidden']);
  const taps = new Set<string>();
  for (const member of members) {
    if (inline) wrt.add(member.weight);
    if (needsOutputGradient(member)) wrt.add(member.output);
    if (member.axis === 0) taps.add(member.output);
    else wrt.add(member.input);
    if (member.axis === 1 || options.elements === 'outputs') taps.add(member.input);
  }
  const backward = differentiate(block, { seeds: { output: 'outputGradient' }, wrt: [...wrt], taps: [...taps], bindings });
  const builder = new GraphBuilder('score', backward);
  const hidden = block.inputs.find(({ name }) => name === 'hidden');
  builder.output('gradient/hidden', 'float32', hidden?.shape ?? []);
  const leading = builder.add('Shape', ['hidden'], { start: 0, end: 2 });
  for (const member of members) emitMember(builder, member, leading, options);
  return builder.build();
}

function emitMember(builder: GraphBuilder, member: LinearMember, leading: string, options: ScoreGraphOptions): void {
  const { weight, axis } = member;
  const activation = axis === 0 ? member.output : member.input;
  const channels = axis === 0 ? member.shape[0] : member.shape[1];
  const product = builder.add('Mul', [activation, `gradient/${activation}`]);
  const perToken = builder.add('Reshape', [product, builder.add('Concat', [leading, builder.integers([-1])], { axis: 0 })]);
  const total = builder.add('ReduceSum', [perToken, builder.integers([1])], { keepdims: 0 });
  const batchChannels = ['batch', channels ?? 'channels'];
  if (member.bias === undefined) builder.output(total, 'float32', batchChannels, `signed/${weight}`);
  else {
    // Y includes the bias: its part of the sum over tokens of dY * Y is its own v_jm.
    const gradient = builder.add('Reshape', [`gradient/${activation}`, builder.add('Concat', [leading, builder.integers([-1])], { axis: 0 })]);
    const ofBias = builder.add('Mul', [builder.add('ReduceSum', [gradient, builder.integers([1])], { keepdims: 0 }), member.bias]);
    builder.output(ofBias, 'float32', batchChannels, `signed/${member.bias}`);
    builder.output(builder.add('Sub', [total, ofBias]), 'float32', batchChannels, `signed/${weight}`);
  }
  if (axis === 1) {
    builder.output(builder.add('ReduceSum', [activation, builder.integers([0])], { keepdims: 0 }), 'float32', [channels ?? 'channels'], `sum/${weight}`);
    builder.output(
      builder.add('ReduceSumSquare', [activation, builder.integers([0])], { keepdims: 0 }),
      'float32',
      [channels ?? 'channels'],
      `squares/${weight}`,
    );
  }
  if (options.elements === 'outputs') {
    builder.output(member.input, 'float32', ['rows', member.shape[1] ?? 'in'], `input/${weight}`);
    builder.output(`gradient/${member.output}`, 'float32', ['rows', member.shape[0] ?? 'out'], `outputGradient/${weight}`);
  }
  if (options.elements === 'inline') {
    const first = builder.input(`first/${weight}`, 'float32', member.shape);
    const second = builder.input(`second/${weight}`, 'float32', member.shape);
    const weighted = builder.add('Mul', [weight, `gradient/${weight}`]);
    builder.output(
      builder.add('ReduceL1', [weighted, builder.integers([1 - axis])], { keepdims: 0 }),
      'float32',
      [channels ?? 'channels'],
      `absolute/${weight}`,
    );
    builder.output(builder.add('Add', [first, weighted]), 'float32', member.shape, `first/${weight}/next`);
    builder.output(builder.add('Add', [second, builder.add('Mul', [weighted, weighted])]), 'float32', member.shape, `second/${weight}/next`);
  }
}

/**
 * Reduces accumulators of one weight [out, in] along its ungrouped axis: `elementFirst` sum |A| / n, `elementSecond` sum S / n and
 * `elementMixed` sum |A / n - S / (2 n)| per channel, with A and S the sums over n windows and `scale` = 1 / n as an input.
 */
export function elementReductionGraph(axis: 0 | 1): Graph {
  const builder = new GraphBuilder(`element reduction ${axis}`);
  const first = builder.input('first', 'float32', ['rows', 'columns']);
  const second = builder.input('second', 'float32', ['rows', 'columns']);
  const scale = builder.input('scale', 'float32', []);
  const axes = builder.integers([1 - axis]);
  const channels = axis === 0 ? 'rows' : 'columns';
  const mean = builder.add('Mul', [first, scale]);
  const meanSquare = builder.add('Mul', [second, scale]);
  const mixed = builder.add('Sub', [mean, builder.add('Mul', [meanSquare, builder.constant([0.5])])]);
  builder.output(builder.add('ReduceL1', [mean, axes], { keepdims: 0 }), 'float32', [channels], 'elementFirst');
  builder.output(builder.add('ReduceSum', [meanSquare, axes], { keepdims: 0 }), 'float32', [channels], 'elementSecond');
  builder.output(builder.add('ReduceL1', [mixed, axes], { keepdims: 0 }), 'float32', [channels], 'elementMixed');
  return builder.build();
}

/** Mean cosine between the tokens of a block's input and output [batch, tokens, hiddenSize] -> `cosine` [] (ShortGPT's block influence is 1 - cosine). */
export function cosineGraph(hiddenSize: number): Graph {
  const builder = new GraphBuilder('block cosine');
  const shape = ['batch', 'tokens', hiddenSize];
  const before = builder.input('before', 'float32', shape);
  const after = builder.input('after', 'float32', shape);
  const last = builder.integers([-1]);
  const dot = builder.add('ReduceSum', [builder.add('Mul', [before, after]), last], { keepdims: 0 });
  const squares = (value: string) => builder.add('ReduceSumSquare', [value, last], { keepdims: 0 });
  const norms = builder.add('Sqrt', [builder.add('Mul', [squares(before), squares(after)])]);
  const cosines = builder.add('Div', [dot, builder.add('Add', [norms, builder.constant([1e-12])])]);
  builder.output(builder.add('ReduceMean', [cosines, builder.integers([0, 1])], { keepdims: 0 }), 'float32', [], 'cosine');
  return builder.build();
}
