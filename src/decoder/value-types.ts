import { dataTypeFromCode } from '../onnx/data-types.ts';
import type { DataType, Dimension, Graph, Initializer, Node, TensorType, ValueInfo } from '../onnx/graph.ts';
import { intAttribute, intsAttribute } from '../operators/attributes.ts';
import { broadcast, type Fresh, reshaped } from './symbolic-sizes.ts';

/** What is known of a value: its type, and of whole numbers that are sizes also which. */
interface Known extends TensorType {
  readonly sizes?: readonly Dimension[] | undefined;
}

/** The types of the outputs (or of the one) from those of the inputs; undefined where they do not tell it. */
type Rule = (
  node: Node,
  inputs: readonly (Known | undefined)[],
  fresh: Fresh,
) => Known | readonly (Known | undefined)[] | undefined;

/**
 * The graph with the types of the values between its inputs and outputs, so that tools that do not know ONNX Runtime's operators can follow it. Sizes are numbers or symbols;
 * values of operators without a rule here are left out.
 */
export function withValueTypes(graph: Graph): Graph {
  const known = new Map<string, Known>();
  for (const [name, initializer] of graph.initializers) known.set(name, ofInitializer(initializer));
  for (const input of graph.inputs) known.set(input.name, input);
  const outputs = new Map(graph.outputs.map((output) => [output.name, output]));
  const values: ValueInfo[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => known.get(name));
    let symbols = 0;
    const fresh = () => `${node.outputs[0]}_${symbols++}`;
    const types = [RULES[node.operator]?.(node, inputs, fresh)].flat();
    for (const [index, name] of node.outputs.entries()) {
      const declared = outputs.get(name);
      const type = declared ?? types[index];
      if (name !== '' && type) known.set(name, type);
      if (name !== '' && type && !declared) values.push({ name, dataType: type.dataType, shape: type.shape });
    }
  }
  return { ...graph, values };
}

/** Whole numbers inside the graph are sizes and axes. */
function ofInitializer({ dataType, shape, contents }: Initializer): Known {
  if (dataType !== 'int64' || contents.kind !== 'bytes' || shape.length > 1) return { dataType, shape };
  const view = new DataView(contents.bytes.buffer, contents.bytes.byteOffset, contents.bytes.byteLength);
  return {
    dataType,
    shape,
    sizes: Array.from({ length: contents.bytes.byteLength / 8 }, (_, index) =>
      Number(view.getBigInt64(8 * index, true)),
    ),
  };
}

const same: Rule = (_, [x]) => x && { dataType: x.dataType, shape: x.shape };

/** Whole numbers of an input, where all are known. */
function numbers(value: Known | undefined): readonly number[] | undefined {
  const { sizes } = value ?? {};
  return sizes?.every((size) => typeof size === 'number') ? (sizes as readonly number[]) : undefined;
}

const elementwise =
  (dataType?: DataType): Rule =>
  (_, inputs, fresh) => {
    const all = inputs.filter((input) => input !== undefined);
    const last = all.at(-1);
    if (!last || all.length < inputs.length) return undefined;
    return {
      dataType: dataType ?? last.dataType,
      shape: broadcast(
        all.map(({ shape }) => shape),
        fresh,
      ),
    };
  };

/** Axes counted from the front. */
const fromFront = (axes: readonly number[], rank: number) => axes.map((axis) => (axis < 0 ? axis + rank : axis));

/** The last axis of a product replaced by `size`. */
const projected = (x: Known | undefined, size: Dimension | undefined): Known | undefined =>
  x && size !== undefined ? { dataType: x.dataType, shape: [...x.shape.slice(0, -1), size] } : undefined;

const RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    [
      'Abs',
      'Exp',
      'Gelu',
      'Identity',
      'LayerNormalization',
      'Log',
      'Neg',
      'QuickGelu',
      'Relu',
      'RotaryEmbedding',
      'Sigmoid',
      'SimplifiedLayerNormalization',
      'Softmax',
      'Tanh',
    ].map((operator) => [operator, same]),
  ),
  ...Object.fromEntries(['Add', 'Div', 'Max', 'Mul', 'Sub', 'Where'].map((operator) => [operator, elementwise()])),
  ...Object.fromEntries(['And', 'Greater', 'LessOrEqual'].map((operator) => [operator, elementwise('bool')])),
  Cast: (node, [x]) => {
    const dataType = dataTypeFromCode(intAttribute(node, 'to', 0));
    return x && dataType && { ...x, dataType };
  },
  CastLike: (_, [x, like]) => x && like && { dataType: like.dataType, shape: x.shape },
  CausalConvWithState: (_, [x, , , past]) => x && [{ dataType: x.dataType, shape: x.shape }, past],
  Concat: (node, inputs, fresh) => {
    const all = inputs.filter((input) => input !== undefined);
    const [first] = all;
    if (!first || all.length < inputs.length) return undefined;
    const [axis = 0] = fromFront([intAttribute(node, 'axis', 0)], first.shape.length);
    const lengths = all.map(({ shape }) => shape[axis]);
    const length = lengths.every((size) => typeof size === 'number')
      ? lengths.reduce((sum, size) => sum + size, 0)
      : fresh();
    const sizes = all.every((input) => input.sizes) ? all.flatMap((input) => input.sizes ?? []) : undefined;
    return { dataType: first.dataType, shape: first.shape.with(axis, length), sizes };
  },
  /** Along one axis, of which padding and steps leave something. */
  Conv: (_, [x, kernel], fresh) =>
    x && kernel && { dataType: x.dataType, shape: [x.shape[0] ?? 1, kernel.shape[0] ?? 1, fresh()] },
  Gather: (node, [data, indices]) => {
    if (!data || !indices) return undefined;
    const [axis = 0] = fromFront([intAttribute(node, 'axis', 0)], data.shape.length);
    const chosen = numbers(indices)?.map((index) => data.sizes?.at(index));
    return {
      dataType: data.dataType,
      shape: [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)],
      sizes: chosen?.every((size) => size !== undefined) ? chosen : undefined,
    };
  },
  Gemm: (node, [x, weight]) => projected(x, weight?.shape[intAttribute(node, 'transB', 0) === 1 ? 0 : 1]),
  GroupQueryAttention: (node, [query, key, , pastKey]) => {
    const head = pastKey?.shape[3];
    if (key || typeof head !== 'number') return query && { dataType: query.dataType, shape: query.shape };
    return projected(query, intAttribute(node, 'num_heads', 1) * head);
  },
  /** What is read, and the state. */
  LinearAttention: (_, [, , value, past]) => value && [{ dataType: value.dataType, shape: value.shape }, past],
  MatMul: (_, [a, b], fresh) => {
    const rows = a?.shape.at(-2);
    const columns = b?.shape.at(-1);
    if (!a || !b || rows === undefined || columns === undefined) return undefined;
    return {
      dataType: a.dataType,
      shape: [...broadcast([a.shape.slice(0, -2), b.shape.slice(0, -2)], fresh), rows, columns],
    };
  },
  MatMulNBits: (node, [x]) => projected(x, intAttribute(node, 'N', 0)),
  Pad: (_, [x, pads], fresh) => {
    const added = numbers(pads);
    if (!x || !added) return undefined;
    const rank = x.shape.length;
    const pad = (size: Dimension, axis: number) => {
      const more = (added[axis] ?? 0) + (added[axis + rank] ?? 0);
      return typeof size === 'number' ? size + more : more === 0 ? size : fresh();
    };
    return { dataType: x.dataType, shape: x.shape.map(pad) };
  },
  Range: (_, [start, end, step], fresh) => {
    const fromZero = numbers(start)?.[0] === 0 && numbers(step)?.[0] === 1;
    return start && { dataType: start.dataType, shape: [(fromZero ? end?.sizes?.[0] : undefined) ?? fresh()] };
  },
  ReduceSum: (node, [x, given]) => {
    const axes = numbers(given);
    if (!x || !axes) return undefined;
    const removed = fromFront(axes, x.shape.length);
    const keeps = intAttribute(node, 'keepdims', 1) === 1;
    return {
      dataType: x.dataType,
      shape: x.shape.flatMap((size, axis) => (!removed.includes(axis) ? size : keeps ? 1 : [])),
    };
  },
  Reshape: (_, [x, wanted], fresh) =>
    x && wanted?.sizes && { dataType: x.dataType, shape: reshaped(x.shape, wanted.sizes, fresh) },
  Shape: (node, [x]) => {
    if (!x) return undefined;
    const sizes = x.shape.slice(intAttribute(node, 'start', 0), intAttribute(node, 'end', x.shape.length));
    return { dataType: 'int64', shape: [sizes.length], sizes };
  },
  Slice: (_, [x, starts, ends, given], fresh) => {
    const axes = numbers(given);
    if (!x || !axes) return undefined;
    const [from, to] = [numbers(starts), numbers(ends)];
    const shape = [...x.shape];
    for (const [index, axis] of fromFront(axes, shape.length).entries()) {
      const size = shape[axis];
      const place = (value: number, length: number) =>
        Math.min(length, Math.max(0, value < 0 ? value + length : value));
      shape[axis] =
        from && to && typeof size === 'number'
          ? place(to[index] ?? size, size) - place(from[index] ?? 0, size)
          : fresh();
    }
    return { dataType: x.dataType, shape };
  },
  /** The norm, and the sum that it is of. */
  SkipLayerNormalization: (_, [x]) => x && [x, undefined, undefined, x],
  SkipSimplifiedLayerNormalization: (_, [x]) => x && [x, undefined, undefined, x],
  Split: (node, [x, lengths]) => {
    if (!x) return undefined;
    const [axis = 0] = fromFront([intAttribute(node, 'axis', 0)], x.shape.length);
    const { length } = node.outputs;
    const size = x.shape[axis];
    const given = numbers(lengths) ?? (typeof size === 'number' ? new Array<number>(length).fill(size / length) : []);
    return given.map((part) => ({ dataType: x.dataType, shape: x.shape.with(axis, part) }));
  },
  Squeeze: (_, [x, given]) => {
    const axes = numbers(given);
    if (!x || !axes) return undefined;
    const removed = fromFront(axes, x.shape.length);
    return { dataType: x.dataType, shape: x.shape.filter((_, axis) => !removed.includes(axis)), sizes: x.sizes };
  },
  Transpose: (node, [x]) => {
    const order = intsAttribute(node, 'perm');
    return x && order && { dataType: x.dataType, shape: order.flatMap((axis) => x.shape[axis] ?? []) };
  },
  Unsqueeze: (_, [x, given]) => {
    const axes = numbers(given);
    if (!x || !axes) return undefined;
    const added = fromFront(axes, x.shape.length + axes.length);
    const rest = [...x.shape];
    const shape = Array.from({ length: x.shape.length + axes.length }, (_, axis) =>
      added.includes(axis) ? 1 : (rest.shift() ?? 1),
    );
    return { dataType: x.dataType, shape };
  },
};
