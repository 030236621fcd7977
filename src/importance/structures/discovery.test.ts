import { describe, expect, it } from 'vitest';
import { UnsupportedError } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import { type BuiltBlock, type TestBlock, testBlock } from '../../passes/testing/block.ts';
import { discover } from './discovery.ts';
import type { CoupledStructure, MemberSlice } from './structures.ts';

const SIZES = { hiddenSize: 12, headDimension: 4, repeat: 3, keyValueHeads: 2, neurons: 5 };
const block = (options: Partial<TestBlock> = {}) => testBlock({ ...SIZES, ...options });
const found = ({ graph, weights, bindings }: BuiltBlock) => discover(graph, weights, bindings);

/** { 'w1[0]': [[start, count], …] } of one group. */
function slices(structure: CoupledStructure | undefined, group: number): Record<string, number[][]> {
  return Object.fromEntries(
    (structure?.members ?? []).map((member) => [
      `${member.weight}[${member.axis}]`,
      rangesOf(member, group).map(({ start, count }) => [start, count]),
    ]),
  );
}

const summary = ({ structures }: { structures: readonly CoupledStructure[] }) =>
  structures.map(({ kind, groups, parametersPerGroup }) => ({ kind, groups, parametersPerGroup }));

describe('discovery in a block', () => {
  it('finds key/value heads with their consecutive query heads, and neurons', () => {
    // w0 norm, w1 q, w2 k, w3 v, w4 o, w5 norm, w6 gate, w7 up, w8 down
    const discovery = found(block());
    const { headDimension: D, repeat: r, hiddenSize } = SIZES;
    expect(summary(discovery)).toEqual([
      { kind: 'attention', groups: 2, parametersPerGroup: D * hiddenSize * (2 * r + 2) },
      { kind: 'mlp', groups: 5, parametersPerGroup: 3 * hiddenSize },
    ]);
    expect(slices(discovery.structures[0], 1)).toEqual({
      'w1[0]': [[12, 12]],
      'w2[0]': [[4, 4]],
      'w3[0]': [[4, 4]],
      'w4[1]': [[12, 12]],
    });
    expect(slices(discovery.structures[1], 3)).toEqual({ 'w6[0]': [[3, 1]], 'w7[0]': [[3, 1]], 'w8[1]': [[3, 1]] });
  });

  it('reports the hidden size apart, with every weight that it touches', () => {
    const { residual, withheld } = found(block());
    expect(residual?.size).toBe(12);
    expect(residual?.members.map(({ weight, axis }) => `${weight}[${axis}]`)).toEqual([
      'w0[0]',
      'w1[1]',
      'w2[1]',
      'w3[1]',
      'w4[0]',
      'w5[0]',
      'w6[1]',
      'w7[1]',
      'w8[0]',
    ]);
    // Query heads within a group, halves of a rotary head, channels of a value head.
    expect(withheld.map(({ size }) => size).sort()).toEqual([2, 3, 4]);
    expect(withheld.find(({ size }) => size === 2)?.reasons.join()).toContain('cosine');
  });

  it.each([
    { name: 'multi-head', options: { repeat: 1, keyValueHeads: 3 }, groups: 3 },
    { name: 'multi-query', options: { repeat: 3, keyValueHeads: 1 }, groups: 1 },
    { name: 'one head', options: { repeat: 1, keyValueHeads: 1 }, groups: 1 },
    { name: 'q/k norms', options: { headNorm: true }, groups: 2 },
  ])('$name: $groups attention groups', ({ options, groups }) => {
    const discovery = found(block(options));
    const { repeat = SIZES.repeat } = options as Partial<TestBlock>;
    expect(summary(discovery)).toEqual([
      { kind: 'attention', groups, parametersPerGroup: 4 * 12 * (2 * repeat + 2) },
      { kind: 'mlp', groups: 5, parametersPerGroup: 36 },
    ]);
    const width = 4 * repeat;
    const rows = (size: number) => [[(groups - 1) * size, size]];
    expect(Object.values(slices(discovery.structures[0], groups - 1))).toEqual([
      rows(width),
      rows(4),
      rows(4),
      rows(width),
    ]);
  });

  it('takes biases of grouped channels along, and leaves those of the hidden size', () => {
    // w1 q, w2 its bias, w3 k, w4, w5 v, w6, w7 o, w8; w10 gate, w11, w12 up, w13, w14 down, w15
    const discovery = found(block({ bias: true }));
    expect(slices(discovery.structures[0], 0)).toEqual({
      'w1[0]': [[0, 12]],
      'w2[0]': [[0, 12]],
      'w3[0]': [[0, 4]],
      'w4[0]': [[0, 4]],
      'w5[0]': [[0, 4]],
      'w6[0]': [[0, 4]],
      'w7[1]': [[0, 12]],
    });
    expect(Object.keys(slices(discovery.structures[1], 0))).toEqual(['w10[0]', 'w11[0]', 'w12[0]', 'w13[0]', 'w14[1]']);
    expect(discovery.residual?.members.map(({ weight }) => weight)).toEqual(expect.arrayContaining(['w8', 'w15']));
    expect(discovery.structures[0]?.parametersPerGroup).toBe(4 * 12 * 8 + 12 + 4 + 4);
  });

  it('finds three ranges in a fused q, k, v weight', () => {
    // w1 qkv: rows q 0..23, k 24..31, v 32..39; w2 o
    const discovery = found(block({ fusedQkv: true }));
    expect(slices(discovery.structures[0], 0)).toEqual({
      'w1[0]': [
        [0, 12],
        [24, 4],
        [32, 4],
      ],
      'w2[1]': [[0, 12]],
    });
    expect(discovery.structures[0]?.parametersPerGroup).toBe(4 * 12 * 8);
  });

  it('finds two rows a neuron in a fused gate and up weight', () => {
    const discovery = found(block({ fusedGateUp: true, bias: true }));
    // w10 gate-up, w11 its bias, w12 down
    expect(slices(discovery.structures[1], 2)).toEqual({
      'w10[0]': [
        [2, 1],
        [7, 1],
      ],
      'w11[0]': [
        [2, 1],
        [7, 1],
      ],
      'w12[1]': [[2, 1]],
    });
  });

  it('finds neurons without a gate', () => {
    expect(summary(found(block({ gated: false })))[1]).toEqual({ kind: 'mlp', groups: 5, parametersPerGroup: 24 });
  });

  it('does not read names and does not depend on the order of nodes or weights', () => {
    const built = block({ bias: true, headNorm: true });
    const shuffled = disguise(built);
    const plain = found(built);
    const disguised = found(shuffled);
    const canonical = (structures: readonly CoupledStructure[], rename: (name: string) => string) =>
      structures
        .map((structure) => ({
          kind: structure.kind,
          members: structure.members
            .map((member) => `${rename(member.weight)}[${member.axis}] ${[...member.groupOfChannel]}`)
            .sort(),
        }))
        .sort((a, b) => (a.kind < b.kind ? -1 : 1));
    expect(canonical(disguised.structures, (name) => name)).toEqual(canonical(plain.structures, alias));
  });

  it('names the operator and node that it has no coupling rule for', () => {
    const builder = new GraphBuilder('odd');
    const x = builder.input('x', 'float32', ['rows', 4]);
    const padded = builder.add('Pad', [x, builder.integers([0, 0, 0, 1])], {}, { name: 'padded' });
    builder.output(
      builder.add('Gemm', [padded, builder.input('w', 'float32', [3, 5])], { transB: 1 }),
      'float32',
      ['rows', 3],
      'y',
    );
    const run = () => discover(builder.build(), ['w'], { rows: 7 });
    expect(run).toThrow(UnsupportedError);
    expect(run).toThrow(/node\/padded uses Pad, for which there is no coupling rule/);
  });
});

const alias = (name: string) => `v${Array.from(name, (letter) => letter.charCodeAt(0)).join('')}`;

/** The same graph with every value and node renamed, inputs reversed, and nodes in another topological order. */
function disguise({ graph, weights, bindings }: BuiltBlock): BuiltBlock {
  const rename = (name: string) => (name === '' ? '' : alias(name));
  const ready = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys(), '']);
  const waiting = [...graph.nodes];
  const nodes: Graph['nodes'][number][] = [];
  while (waiting.length > 0) {
    // The last node that can run comes first.
    const index = waiting.findLastIndex((node) => node.inputs.every((name) => ready.has(name)));
    const [node] = waiting.splice(index, 1);
    if (!node) break;
    for (const name of node.outputs) ready.add(name);
    nodes.push({
      ...node,
      name: `n${nodes.length}`,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    });
  }
  return {
    weights: weights.map(rename).reverse(),
    bindings,
    graph: {
      ...graph,
      nodes,
      inputs: graph.inputs.map((input) => ({ ...input, name: rename(input.name) })).reverse(),
      outputs: graph.outputs.map((output) => ({ ...output, name: rename(output.name) })),
      initializers: new Map([...graph.initializers].map(([name, value]) => [rename(name), value])),
    },
  };
}

describe('layouts beyond the block programs', () => {
  /** Attention scores of q and k channels given as values [rows, channels] of heads that another rule laid out. */
  const start = () => {
    const builder = new GraphBuilder('layout');
    return {
      builder,
      x: builder.input('x', 'float32', ['tokens', 7]),
      weight: (name: string, ...shape: number[]) => builder.input(name, 'float32', shape),
    };
  };
  const linear = (builder: GraphBuilder, x: string, w: string) => builder.add('Gemm', [x, w], { transB: 1 });

  it('keys repeated by Expand: the repeated axis belongs to the queries alone', () => {
    const { builder, x, weight } = start();
    const heads = (value: string, count: number) =>
      builder.add('Transpose', [builder.add('Reshape', [value, builder.integers([-1, count, 4])])], {
        perm: [1, 0, 2],
      });
    const repeatHeads = (value: string) => {
      const stretched = builder.add('Expand', [
        builder.add('Unsqueeze', [value, builder.integers([1])]),
        builder.integers([1, 3, 1, 1]),
      ]);
      return builder.add('Reshape', [stretched, builder.integers([6, -1, 4])]);
    };
    const q = heads(linear(builder, x, weight('q', 24, 7)), 6);
    const k = repeatHeads(heads(linear(builder, x, weight('k', 8, 7)), 2));
    const v = repeatHeads(heads(linear(builder, x, weight('v', 8, 7)), 2));
    const p = builder.add('Softmax', [builder.add('MatMul', [q, builder.add('Transpose', [k], { perm: [0, 2, 1] })])], {
      axis: -1,
    });
    const context = builder.add('Reshape', [
      builder.add('Transpose', [builder.add('MatMul', [p, v])], { perm: [1, 0, 2] }),
      builder.integers([-1, 24]),
    ]);
    builder.output(linear(builder, context, weight('o', 7, 24)), 'float32', ['tokens', 7], 'y');
    const { structures } = discover(builder.build(), ['q', 'k', 'v', 'o'], { tokens: 11 });
    expect(structures.map(({ groups, parametersPerGroup }) => [groups, parametersPerGroup])).toEqual([[2, 4 * 7 * 8]]);
    expect(slices(structures[0], 1)).toEqual({
      'q[0]': [[12, 12]],
      'k[0]': [[4, 4]],
      'v[0]': [[4, 4]],
      'o[1]': [[12, 12]],
    });
  });

  it('q, k and v interleaved per head in one weight: [heads, 3, D]', () => {
    const { builder, x, weight } = start();
    const split = builder.add('Reshape', [
      linear(builder, x, weight('qkv', 2 * 3 * 4, 7)),
      builder.integers([-1, 2, 3, 4]),
    ]);
    const part = (index: number) =>
      builder.add('Transpose', [builder.add('Gather', [split, builder.constant([index], [], 'int64')], { axis: 2 })], {
        perm: [1, 0, 2],
      });
    const p = builder.add(
      'Softmax',
      [builder.add('MatMul', [part(0), builder.add('Transpose', [part(1)], { perm: [0, 2, 1] })])],
      { axis: -1 },
    );
    const context = builder.add('Reshape', [
      builder.add('Transpose', [builder.add('MatMul', [p, part(2)])], { perm: [1, 0, 2] }),
      builder.integers([-1, 8]),
    ]);
    builder.output(linear(builder, context, weight('o', 7, 8)), 'float32', ['tokens', 7], 'y');
    const { structures } = discover(builder.build(), ['qkv', 'o'], { tokens: 11 });
    expect(structures).toHaveLength(1);
    expect(slices(structures[0], 1)).toEqual({ 'qkv[0]': [[12, 12]], 'o[1]': [[4, 4]] });
  });

  it('q, k and v stacked in one weight: [3, heads, D] gives three ranges', () => {
    const { builder, x, weight } = start();
    const split = builder.add('Reshape', [
      linear(builder, x, weight('qkv', 3 * 2 * 4, 7)),
      builder.integers([-1, 3, 2, 4]),
    ]);
    const parts = builder
      .addMany('Split', [split], 3, { axis: 1, num_outputs: 3 })
      .map((part) =>
        builder.add('Transpose', [builder.add('Squeeze', [part, builder.integers([1])])], { perm: [1, 0, 2] }),
      );
    const [q, k, v] = parts as [string, string, string];
    const p = builder.add('Softmax', [builder.add('MatMul', [q, builder.add('Transpose', [k], { perm: [0, 2, 1] })])], {
      axis: -1,
    });
    const context = builder.add('Reshape', [
      builder.add('Transpose', [builder.add('MatMul', [p, v])], { perm: [1, 0, 2] }),
      builder.integers([-1, 8]),
    ]);
    builder.output(linear(builder, context, weight('o', 7, 8)), 'float32', ['tokens', 7], 'y');
    const { structures } = discover(builder.build(), ['qkv', 'o'], { tokens: 11 });
    expect(structures).toHaveLength(1);
    expect(slices(structures[0], 1)).toEqual({
      'qkv[0]': [
        [4, 4],
        [12, 4],
        [20, 4],
      ],
      'o[1]': [[4, 4]],
    });
  });

  it('an axis of size 1 beside the neurons changes nothing', () => {
    const { builder, x, weight } = start();
    const inner = builder.add('Sigmoid', [
      builder.add('Reshape', [linear(builder, x, weight('up', 6, 7)), builder.integers([-1, 1, 6])]),
    ]);
    const flat = builder.add('Reshape', [inner, builder.integers([-1, 6])]);
    builder.output(linear(builder, flat, weight('down', 7, 6)), 'float32', ['tokens', 7], 'y');
    expect(summary(discover(builder.build(), ['up', 'down'], { tokens: 11 }))).toEqual([
      { kind: 'mlp', groups: 6, parametersPerGroup: 14 },
    ]);
  });

  it('offers nothing on an axis that is normalised, or laid out in two ways that do not fit', () => {
    const { builder, x, weight } = start();
    const first = linear(builder, x, weight('a', 6, 7));
    const second = linear(builder, x, weight('b', 6, 7));
    const crossed = builder.add('Add', [
      builder.add('Reshape', [
        builder.add('Transpose', [builder.add('Reshape', [first, builder.integers([-1, 2, 3])])], { perm: [0, 2, 1] }),
        builder.integers([-1, 6]),
      ]),
      builder.add('Reshape', [
        builder.add('Reshape', [second, builder.integers([-1, 2, 3])]),
        builder.integers([-1, 6]),
      ]),
    ]);
    const softened = builder.add('Softmax', [linear(builder, x, weight('c', 5, 7))], { axis: -1 });
    const y = builder.add('Add', [
      linear(builder, crossed, weight('d', 7, 6)),
      linear(builder, softened, weight('e', 7, 5)),
    ]);
    builder.output(y, 'float32', ['tokens', 7], 'y');
    const { structures, withheld } = discover(builder.build(), ['a', 'b', 'c', 'd', 'e'], { tokens: 11 });
    expect(structures).toEqual([]);
    const reasons = withheld.flatMap((entry) => entry.reasons);
    expect(reasons).toContain('two operators lay it out in ways that do not fit each other');
    expect(reasons.some((reason) => /softmax_\d+ \(Softmax\) normalises it/.test(reason))).toBe(true);
  });
});

/** Channels of one group along a member's axis, as maximal runs in ascending order. */
function rangesOf(member: MemberSlice, group: number): { start: number; count: number }[] {
  const ranges: { start: number; count: number }[] = [];
  member.groupOfChannel.forEach((owner, channel) => {
    if (owner !== group) return;
    const last = ranges.at(-1);
    if (last && last.start + last.count === channel) last.count++;
    else ranges.push({ start: channel, count: 1 });
  });
  return ranges;
}
