import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph, ValueInfo } from '../../onnx/graph.ts';
import { cut } from '../../passes/cut.ts';
import { differentiate, gradientOf } from '../../passes/differentiate.ts';
import type { ChannelMember } from '../structures/channel-members.ts';
import type { LinearMember } from '../structures/linear-members.ts';
import type { Need } from '../sums/sum-table.ts';

/**
 * The program that scores one layer: recomputes the block, differentiates it and reduces at once (docs/method.md section 2).
 * Inputs beside the block's: `outputGradient`. Outputs: `gradient/hidden`; per member `signed/<weight>` [batch, channels] and `signed/<bias>` of a
 * grouped bias (the v_jm per channel, from activations and their gradients only); for column members `sum/<weight>` and `squares/<weight>`
 * [channels] of their input; `energy/<value>`, the sums over rows of the squares of every member's input X [rows, in] and of the gradient dY [rows, out] of its output; and with 'elements' these
 * themselves, under their own names. Which of them there are `needs` says. Of a weight that is no matrix also `elements/<weight>` [batch, weights], w g of each window.
 */
export function scoreGraph(
  block: Graph,
  members: readonly LinearMember[],
  bindings: Readonly<Record<string, number>>,
  needs: ReadonlySet<Need>,
  channels: readonly ChannelMember[] = [],
): Graph {
  const wrt = new Set<string>(['hidden']);
  const taps = new Set<string>();
  for (const member of members) {
    const both = needs.has('elements') || needs.has('energies');
    const signed = needs.has('gradients');
    if (both || (signed && member.axis === 0)) wrt.add(member.output);
    if (signed && member.axis === 0) taps.add(member.output);
    if (signed && member.axis === 1) wrt.add(member.input);
    if (both || member.axis === 1) taps.add(member.input);
  }
  for (const { windows, convolution } of channels) {
    if (needs.has('gradients')) {
      wrt.add(windows);
      taps.add(windows);
    }
    if (needs.has('energies') && convolution) {
      wrt.add(convolution.output);
      taps.add(convolution.input);
    }
  }
  const backward = differentiate(block, {
    seeds: { output: 'outputGradient' },
    wrt: [...wrt],
    taps: [...taps],
    bindings,
  });
  const builder = new GraphBuilder('score', backward);
  const hidden = block.inputs.find(({ name }) => name === 'hidden');
  builder.output('gradient/hidden', 'float32', hidden?.shape ?? []);
  const leading = builder.add('Shape', ['hidden'], { start: 0, end: 2 });
  for (const member of members) {
    if (needs.has('gradients')) emitSigned(builder, member, leading);
    if (needs.has('moments') && member.axis === 1) emitMoments(builder, member);
  }
  for (const member of channels) if (needs.has('gradients')) emitElements(builder, member, leading);
  const convolved = new Set(
    channels.flatMap(({ convolution }) => (convolution ? [convolution.input, gradientOf(convolution.output)] : [])),
  );
  for (const value of new Set([
    ...members.flatMap(({ input, output }) => [input, gradientOf(output)]),
    ...(needs.has('energies') ? convolved : []),
  ])) {
    if (needs.has('energies'))
      builder.output(
        sumOfSquares(builder, value, builder.integers([0])),
        'float32',
        [`width of ${value}`],
        `energy/${value}`,
      );
    if (needs.has('elements') && !convolved.has(value)) builder.output(value, 'float32', ['rows', `width of ${value}`]);
  }
  return builder.build();
}

/** The linear layers' outputs of a block: what a backward pass need not recompute where they are kept. */
function linearOutputs(block: Graph): ValueInfo[] {
  return block.nodes.flatMap(({ operator, outputs: [output] }) =>
    operator === 'Gemm' && output !== undefined
      ? [{ name: output, dataType: 'float32' as const, shape: ['rows', `width of ${output}`] }]
      : [],
  );
}

/**
 * The score program and the block where activations are kept: `score` reads the outputs of linear layers that `scoreGraph` would recompute, under the block's names, and
 * `block` gives them out beside its own output. Everything else is cheap and is recomputed.
 */
export function keptGraphs(
  block: Graph,
  score: Graph,
): { readonly score: Graph; readonly block: Graph; readonly values: readonly string[] } {
  const outputs = linearOutputs(block);
  const shortened = cut(score, outputs);
  const kept = outputs.filter(({ name }) => shortened.inputs.some((input) => input.name === name));
  return {
    score: shortened,
    block: { ...block, outputs: [...block.outputs, ...kept] },
    values: kept.map(({ name }) => name),
  };
}

function emitSigned(builder: GraphBuilder, member: LinearMember, leading: string): void {
  const { weight, axis } = member;
  const activation = axis === 0 ? member.output : member.input;
  const channels = axis === 0 ? member.shape[0] : member.shape[1];
  const product = builder.add('Mul', [activation, `gradient/${activation}`]);
  const perToken = builder.add('Reshape', [
    product,
    builder.add('Concat', [leading, builder.integers([-1])], { axis: 0 }),
  ]);
  const total = builder.add('ReduceSum', [perToken, builder.integers([1])], { keepdims: 0 });
  const batchChannels = ['batch', channels ?? 'channels'];
  if (member.bias === undefined) builder.output(total, 'float32', batchChannels, `signed/${weight}`);
  else {
    // Y includes the bias: its part of the sum over tokens of dY * Y is its own v_jm.
    const gradient = builder.add('Reshape', [
      `gradient/${activation}`,
      builder.add('Concat', [leading, builder.integers([-1])], { axis: 0 }),
    ]);
    const ofBias = builder.add('Mul', [
      builder.add('ReduceSum', [gradient, builder.integers([1])], { keepdims: 0 }),
      member.bias,
    ]);
    builder.output(ofBias, 'float32', batchChannels, `signed/${member.bias}`);
    builder.output(builder.add('Sub', [total, ofBias]), 'float32', batchChannels, `signed/${weight}`);
  }
}

/** w g of each window, of every weight of a channel and summed over them. */
function emitElements(builder: GraphBuilder, { weight, windows, shape }: ChannelMember, leading: string): void {
  const product = builder.add('Mul', [windows, gradientOf(windows)]);
  const batch = builder.add('Slice', [leading, builder.integers([0]), builder.integers([1])]);
  const flat = builder.add('Reshape', [product, builder.add('Concat', [batch, builder.integers([-1])], { axis: 0 })]);
  builder.output(flat, 'float32', ['batch', `weights of ${weight}`], `elements/${weight}`);
  const channels = shape[0] ?? 'channels';
  const signed =
    shape.length === 1
      ? builder.add('Identity', [product])
      : builder.add('ReduceSum', [product, builder.integers(shape.slice(1).map((_, axis) => axis + 2))], {
          keepdims: 0,
        });
  builder.output(signed, 'float32', ['batch', channels], `signed/${weight}`);
}

function emitMoments(builder: GraphBuilder, { weight, input, shape }: LinearMember): void {
  const channels = [shape[1] ?? 'channels'];
  const rows = builder.integers([0]);
  builder.output(builder.add('ReduceSum', [input, rows], { keepdims: 0 }), 'float32', channels, `sum/${weight}`);
  builder.output(sumOfSquares(builder, input, rows), 'float32', channels, `squares/${weight}`);
}

/** ONNX Runtime's ReduceSum has fast paths on the CPU that its ReduceSumSquare lacks. */
function sumOfSquares(builder: GraphBuilder, value: string, axes: string): string {
  return builder.add('ReduceSum', [builder.add('Mul', [value, value]), axes], { keepdims: 0 });
}

/** Mean cosine between the tokens of a block's input and output [batch, tokens, hiddenSize] -> `cosine` [] (ShortGPT's block influence is 1 - cosine). */
export function cosineGraph(hiddenSize: number): Graph {
  const builder = new GraphBuilder('block cosine');
  const shape = ['batch', 'tokens', hiddenSize];
  const before = builder.input('before', 'float32', shape);
  const after = builder.input('after', 'float32', shape);
  const last = builder.integers([-1]);
  const dot = builder.add('ReduceSum', [builder.add('Mul', [before, after]), last], { keepdims: 0 });
  const squares = (value: string) => sumOfSquares(builder, value, last);
  const norms = builder.add('Sqrt', [builder.add('Mul', [squares(before), squares(after)])]);
  const cosines = builder.add('Div', [dot, builder.add('Add', [norms, builder.constant([1e-12])])]);
  builder.output(
    builder.add('ReduceMean', [cosines, builder.integers([0, 1])], { keepdims: 0 }),
    'float32',
    [],
    'cosine',
  );
  return builder.build();
}
