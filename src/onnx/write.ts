import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataLocation as DataLocation,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from 'onnx-buf';
import { UsageError } from '../errors.ts';
import { dataTypeCode } from './data-types.ts';
import type { Attribute, Graph, Initializer, Node, ValueInfo } from './graph.ts';
import { findGraphProblem } from './validate.ts';

/** Version of the ONNX file format (not of the operators) that is written. */
const IR_VERSION = 10;

/** Protobuf messages end below 2 GiB; what is left is for everything but raw contents. */
const LARGEST_INLINE_BYTES = 2 ** 31 - 2 ** 24;

/**
 * The ONNX file of `graph`. Contents of kind 'bytes' go inside the file, those of kind 'external' stay references: see `external-layout.ts`
 * for placing large weights outside. The same graph gives the same bytes. Throws UsageError when the graph is invalid (`findGraphProblem`)
 * or holds more inline bytes than a protobuf message can.
 */
export function writeModel(graph: Graph): Uint8Array<ArrayBuffer> {
  const problem = findGraphProblem(graph);
  if (problem) throw new UsageError(`The graph ${graph.name} cannot be written. ${problem}`);
  const inline = inlineBytes(graph);
  if (inline > LARGEST_INLINE_BYTES)
    throw new UsageError(
      `The graph ${graph.name} holds ${inline} bytes of tensors, but an ONNX file at most ${LARGEST_INLINE_BYTES}; move them to external data.`,
    );
  const model = create(ModelProtoSchema, {
    irVersion: BigInt(IR_VERSION),
    producerName: 'espalier',
    opsetImport: Object.entries(graph.opsets).map(([domain, version]) => ({ domain, version: BigInt(version) })),
    metadataProps: Object.entries(graph.metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: graph.name,
      node: graph.nodes.map(nodeProto),
      initializer: Array.from(graph.initializers, ([name, initializer]) => tensorProto(initializer, name)),
      input: graph.inputs.map(valueInfoProto),
      output: graph.outputs.map(valueInfoProto),
      valueInfo: (graph.values ?? []).map(valueInfoProto),
    },
  });
  return toBinary(ModelProtoSchema, model) as Uint8Array<ArrayBuffer>;
}

function inlineBytes(graph: Graph): number {
  let total = 0;
  for (const { contents } of graph.initializers.values())
    if (contents.kind === 'bytes') total += contents.bytes.byteLength;
  return total;
}

function nodeProto(node: Node): MessageInitShape<typeof NodeProtoSchema> {
  return {
    name: node.name,
    opType: node.operator,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => attributeProto(name, attribute, node)),
  };
}

function attributeProto(name: string, attribute: Attribute, node: Node): MessageInitShape<typeof AttributeProtoSchema> {
  const integer = (value: number): bigint => {
    if (!Number.isSafeInteger(value)) throw attributeError(name, node, value, 'a whole number of magnitude below 2^53');
    return BigInt(value);
  };
  const single = (value: number): number => {
    if (Number.isFinite(value) && !Number.isFinite(Math.fround(value)))
      throw attributeError(name, node, value, 'within the range of float32');
    return Math.fround(value);
  };
  switch (attribute.kind) {
    case 'int':
      return { name, type: AttributeType.INT, i: integer(attribute.value) };
    case 'float':
      return { name, type: AttributeType.FLOAT, f: single(attribute.value) };
    case 'string':
      return { name, type: AttributeType.STRING, s: utf8(attribute.value) };
    case 'ints':
      return { name, type: AttributeType.INTS, ints: attribute.value.map(integer) };
    case 'floats':
      return { name, type: AttributeType.FLOATS, floats: attribute.value.map(single) };
    case 'strings':
      return { name, type: AttributeType.STRINGS, strings: attribute.value.map(utf8) };
    case 'tensor':
      return { name, type: AttributeType.TENSOR, t: tensorProto(attribute.value, name) };
  }
}

function attributeError(name: string, node: Node, value: number, allowed: string): UsageError {
  return new UsageError(
    `Attribute ${name} of node ${node.name} (${node.operator}) is ${value}; it must be ${allowed}.`,
  );
}

function tensorProto(tensor: Initializer, name: string): MessageInitShape<typeof TensorProtoSchema> {
  const common = { name, dataType: dataTypeCode(tensor.dataType), dims: tensor.shape.map((size) => BigInt(size)) };
  const { contents } = tensor;
  if (contents.kind === 'bytes') return { ...common, rawData: contents.bytes as Uint8Array<ArrayBuffer> };
  const externalData = Object.entries({
    location: contents.location,
    offset: `${contents.offset}`,
    length: `${contents.length}`,
  });
  return {
    ...common,
    dataLocation: DataLocation.EXTERNAL,
    externalData: externalData.map(([key, value]) => ({ key, value })),
  };
}

function valueInfoProto(value: ValueInfo): MessageInitShape<typeof ValueInfoProtoSchema> {
  const dim = value.shape.map((size) => ({
    value:
      typeof size === 'number'
        ? { case: 'dimValue' as const, value: BigInt(size) }
        : { case: 'dimParam' as const, value: size },
  }));
  return {
    name: value.name,
    type: { value: { case: 'tensorType', value: { elemType: dataTypeCode(value.dataType), shape: { dim } } } },
  };
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
