import { elementCount } from './data-types.ts';
import type { Attribute, DataType, Graph, Initializer, Node, ValueInfo } from './graph.ts';

/** Tensors of at most this many elements are shown with their values. */
const SHOWN_ELEMENTS = 8;

/**
 * The graph as text, one line for each input, initializer, node and output, for people and for snapshot tests:
 *
 *     graph layer (ai.onnx 21)
 *     input %x: float32[rows, 24]
 *     initializer %shape: int64[2] = [0, -1]
 *     initializer %weight: float32[16, 24] (1536 bytes)
 *     %gemm = Gemm(%x, %weight, _) {transB: 1}
 *     output %gemm: float32[rows, 16]
 *
 * `_` is an absent input or output. Attributes are sorted by name, floats have a point or an exponent. Equal graphs give equal text;
 * contents of large tensors are left out.
 */
export function describeGraph(graph: Graph): string {
  const opsets = Object.entries(graph.opsets).map(([domain, version]) => `${domain || 'ai.onnx'} ${version}`);
  const lines = [
    `graph ${name(graph.name)} (${opsets.sort().join(', ')})`,
    ...Object.entries(graph.metadata).map(([key, value]) => `metadata ${name(key)}: ${JSON.stringify(value)}`),
    ...graph.inputs.map((input) => `input ${valueInfo(input)}`),
    ...Array.from(graph.initializers, ([key, tensor]) => `initializer ${value(key)}: ${describeTensor(tensor)}`),
    ...graph.nodes.map(describeNode),
    ...graph.outputs.map((output) => `output ${valueInfo(output)}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** One node: `%out = Operator(%a, %b) {attribute: 1}`. */
export function describeNode(node: Node): string {
  const operator = node.domain === '' ? node.operator : `${node.domain}.${node.operator}`;
  const attributes = Object.entries(node.attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  const braces =
    attributes.length === 0
      ? ''
      : ` {${attributes.map(([key, attribute]) => `${name(key)}: ${describeAttribute(attribute)}`).join(', ')}}`;
  return `${node.outputs.map(value).join(', ')} = ${operator}(${node.inputs.map(value).join(', ')})${braces}`;
}

function valueInfo(info: ValueInfo): string {
  return `${value(info.name)}: ${info.dataType}[${info.shape.join(', ')}]`;
}

function describeAttribute(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'int':
      return `${attribute.value}`;
    case 'float':
      return decimal(attribute.value);
    case 'string':
      return JSON.stringify(attribute.value);
    case 'ints':
      return `[${attribute.value.join(', ')}]`;
    case 'floats':
      return `[${attribute.value.map(decimal).join(', ')}]`;
    case 'strings':
      return `[${attribute.value.map((text) => JSON.stringify(text)).join(', ')}]`;
    case 'tensor':
      return describeTensor(attribute.value);
  }
}

function describeTensor({ dataType, shape, contents }: Initializer): string {
  const type = `${dataType}[${shape.join(', ')}]`;
  if (contents.kind === 'external')
    return `${type} (${contents.location} at ${contents.offset}, ${contents.length} bytes)`;
  const count = elementCount(shape);
  return count > SHOWN_ELEMENTS
    ? `${type} (${contents.bytes.byteLength} bytes)`
    : `${type} = [${elements(contents.bytes, dataType).join(', ')}]`;
}

/** Elements as text; float16 as its bits in hexadecimal. `bytes` may lie at any alignment. */
function elements(bytes: Uint8Array, dataType: DataType): string[] {
  const { buffer } = Uint8Array.from(bytes);
  switch (dataType) {
    case 'float32':
      return Array.from(new Float32Array(buffer), decimal);
    case 'float64':
      return Array.from(new Float64Array(buffer), (element) => withPoint(`${element}`));
    case 'float16':
      return Array.from(new Uint16Array(buffer), (bits) => `0x${bits.toString(16).padStart(4, '0')}`);
    case 'int64':
      return Array.from(new BigInt64Array(buffer), String);
    case 'int32':
      return Array.from(new Int32Array(buffer), String);
    case 'int8':
      return Array.from(new Int8Array(buffer), String);
    case 'uint8':
    case 'bool':
      return Array.from(new Uint8Array(buffer), String);
  }
}

/** The shortest decimal that is the same float32. */
function decimal(number: number): string {
  const single = Math.fround(number);
  if (!Number.isFinite(single)) return `${single}`;
  let text = `${single}`;
  for (let digits = 1; digits <= 9; digits++) {
    text = `${Number(single.toPrecision(digits))}`;
    if (Math.fround(Number(text)) === single) break;
  }
  return withPoint(Object.is(single, -0) ? '-0' : text);
}

function withPoint(text: string): string {
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function value(text: string): string {
  return text === '' ? '_' : `%${name(text)}`;
}

function name(text: string): string {
  return /^[\w./:+-]+$/.test(text) ? text : JSON.stringify(text);
}
