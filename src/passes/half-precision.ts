import { dataTypeCode, dataTypeFromCode } from '../onnx/data-types.ts';
import type { DataType, Graph, Initializer, Node } from '../onnx/graph.ts';

/** Computed in half precision always: what costs time. */
const PRODUCTS = new Set(['Gemm', 'MatMul']);

/** Computed in half precision where nothing that they read is of single precision, and where not all that read them are. */
const FREE = new Set([
  ...[
    'Reshape',
    'Transpose',
    'Squeeze',
    'Unsqueeze',
    'Expand',
    'Concat',
    'Split',
    'Slice',
    'Pad',
    'Gather',
    'Identity',
  ],
  ...['Add', 'Sub', 'Mul', 'Neg', 'Abs', 'Relu', 'Sigmoid', 'Tanh', 'Gelu', 'Min', 'Where'],
]);

/** Largest finite number of half precision, and the smallest with all its digits. */
const [LARGEST, SMALLEST] = [65504, 2 ** -14];

type Float = 'float32' | 'float16';

/**
 * The same function with weights, states and products in half precision, and reductions in single precision: norms, softmax, sums, and what leads to them (a square that is summed is taken of widened
 * numbers). `half` names the float32 inputs and outputs that are to be float16; all others stay. Mixed precision as in Micikevicius et al. 2018 (arXiv 1710.03740).
 */
export function halfPrecision(graph: Graph, half: (name: string) => boolean): Graph {
  const types = valueTypes(graph);
  const isFloat = (name: string) => types.get(name) === 'float32';
  const own = ownTypes(graph, half, isFloat);
  const nodes: Node[] = [];
  /** The name of each value in each of both precisions, as far as it has one. */
  const variants = new Map<string, Partial<Record<Float, string>>>();
  const wantedOutput = new Map(
    graph.outputs.flatMap(({ name, dataType }): [string, Float][] =>
      dataType === 'float32' ? [[name, half(name) ? 'float16' : 'float32']] : [],
    ),
  );
  /** Names a value of its own type; the name itself belongs to the other one where the graph gives that out. */
  const define = (name: string, type: Float): string => {
    const wanted = wantedOutput.get(name) ?? type;
    const given = wanted === type ? name : `${name}/${type}`;
    variants.set(name, { [type]: given });
    return given;
  };
  const variant = (name: string, type: Float): string => {
    const known = variants.get(name) ?? {};
    const found = known[type];
    if (found !== undefined) return found;
    const [source = name] = Object.values(known);
    const cast = wantedOutput.get(name) === type ? name : `${name}/${type}`;
    nodes.push({
      name: `cast/${cast}`,
      operator: 'Cast',
      domain: '',
      inputs: [source],
      outputs: [cast],
      attributes: { to: { kind: 'int', value: dataTypeCode(type) } },
    });
    variants.set(name, { ...known, [type]: cast });
    return cast;
  };
  for (const name of [...graph.inputs.map((input) => input.name), ...graph.initializers.keys()])
    if (isFloat(name)) variants.set(name, { [half(name) ? 'float16' : 'float32']: name });
  for (const node of graph.nodes) {
    const type = own.get(node) ?? 'float32';
    const inputs = node.inputs.map((name) => (isFloat(name) ? variant(name, type) : name));
    const outputs = node.outputs.map((name) => (isFloat(name) ? define(name, type) : name));
    nodes.push({ ...node, inputs, outputs });
  }
  for (const [name, type] of wantedOutput) variant(name, type);
  const inType = <Info extends { readonly name: string; readonly dataType: DataType }>(info: Info): Info =>
    info.dataType === 'float32' && half(info.name) ? { ...info, dataType: 'float16' } : info;
  return { ...graph, inputs: graph.inputs.map(inType), outputs: graph.outputs.map(inType), nodes };
}

/** The precision that each node computes in. */
function ownTypes(
  graph: Graph,
  half: (name: string) => boolean,
  isFloat: (name: string) => boolean,
): ReadonlyMap<Node, Float> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes)
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  const outputs = new Map(graph.outputs.map(({ name }) => [name, half(name)]));
  const isSingle = (node: Node) => !PRODUCTS.has(node.operator) && !FREE.has(node.operator);
  /** Free nodes that everything which reads them wants in single precision. */
  const demanded = new Set<Node>();
  for (const node of graph.nodes.toReversed()) {
    const reading = node.outputs.flatMap((name) => readers.get(name) ?? []);
    const given = node.outputs.filter((name) => outputs.has(name));
    const all =
      reading.every((reader) => isSingle(reader) || demanded.has(reader)) && given.every((name) => !outputs.get(name));
    if (FREE.has(node.operator) && reading.length + given.length > 0 && all) demanded.add(node);
  }
  const types = new Map<Node, Float>();
  /** Values of single precision, which free nodes keep. */
  const single = new Set<string>();
  for (const { name } of graph.inputs) if (isFloat(name) && !half(name)) single.add(name);
  for (const [name, initializer] of graph.initializers) if (isFloat(name) && !fits(initializer)) single.add(name);
  for (const node of graph.nodes) {
    const widened = demanded.has(node) || node.inputs.some((name) => single.has(name));
    const type = PRODUCTS.has(node.operator) || (FREE.has(node.operator) && !widened) ? 'float16' : 'float32';
    types.set(node, type);
    if (type === 'float32') for (const name of node.outputs) if (isFloat(name)) single.add(name);
  }
  return types;
}

/** Whether half precision holds all numbers of a constant with all its digits. */
function fits({ contents }: Initializer): boolean {
  if (contents.kind === 'external') return false;
  const bytes = contents.bytes.slice();
  return new Float32Array(bytes.buffer).every((value) => {
    const size = Math.abs(value);
    return size === 0 || (size >= SMALLEST && size <= LARGEST);
  });
}

/** The data type of every value. */
function valueTypes(graph: Graph): ReadonlyMap<string, DataType> {
  const types = new Map<string, DataType>();
  for (const { name, dataType } of graph.inputs) types.set(name, dataType);
  for (const [name, { dataType }] of graph.initializers) types.set(name, dataType);
  for (const node of graph.nodes)
    for (const [index, name] of node.outputs.entries()) types.set(name, resultType(node, index, types));
  return types;
}

function resultType(node: Node, output: number, types: ReadonlyMap<string, DataType>): DataType {
  const { operator, inputs, attributes } = node;
  if (operator === 'Shape' || operator === 'Size' || (operator === 'TopK' && output === 1)) return 'int64';
  if (operator === 'Equal' || operator === 'GreaterOrEqual') return 'bool';
  if (operator === 'Constant') return attributes.value?.kind === 'tensor' ? attributes.value.value.dataType : 'float32';
  if (operator === 'Cast') return (attributes.to?.kind === 'int' && dataTypeFromCode(attributes.to.value)) || 'float32';
  return types.get(inputs[operator === 'Where' ? 1 : 0] ?? '') ?? 'float32';
}
