import { fromBinary } from '@bufbuild/protobuf';
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type TensorShapeProto,
  type TypeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { Dimension, Graph, Initializer, ValueInfo } from './graph.ts';
import { readDomain, readNode } from './read-node.ts';
import { readDataType, readSize, readTensor } from './read-tensor.ts';
import { findGraphProblem } from './validate.ts';
import { checkWireFormat } from './wire.ts';

const OLDEST_IR_VERSION = 3;
const NEWEST_IR_VERSION = 13;

/**
 * The graph of an ONNX file. Tensors inside the file become bytes (views into `bytes`, which must not change afterwards); those in other
 * files stay references, see `external-data.ts`. Hints that change no result are dropped: doc strings, inferred value types, quantization
 * annotations, device placement, producer. A graph input that an initializer gives a default becomes constant. Unnamed sizes get names of
 * their own ('unnamed_0', …).
 *
 * Throws FileFormatError when the file is truncated, malformed or no valid graph, and UnsupportedError, naming the thing, for what a Graph
 * cannot hold (nested graphs, functions, sparse tensors, other data types and value types); nothing else. Memory used is bounded by the
 * length of the file, whatever sizes it claims.
 */
export function readModel(bytes: Uint8Array): Graph {
  const model = decode(bytes);
  if (!model.graph) throw new FileFormatError('The file is no ONNX model: it has no graph.');
  const version = Number(model.irVersion);
  if (version < OLDEST_IR_VERSION || version > NEWEST_IR_VERSION)
    throw new UnsupportedError(
      `The model has ONNX format version ${version}; Espalier reads ${OLDEST_IR_VERSION} to ${NEWEST_IR_VERSION}. Set ir_version to ${NEWEST_IR_VERSION} with the onnx package and save it again, or export it anew.`,
    );
  if (model.functions.length > 0)
    throw new UnsupportedError(
      `The model defines functions (${model.functions[0]?.name}), which Espalier does not read; inline them first, e.g. with onnx.inliner.inline_local_functions.`,
    );
  if (model.trainingInfo.length > 0)
    throw new UnsupportedError(
      'The model carries training information, which Espalier does not read. Export it for inference.',
    );
  const graph = readGraph(model.graph, readOpsets(model), readMetadata(model));
  const problem = findGraphProblem(graph);
  if (problem) throw new FileFormatError(`The model's graph is invalid. ${problem}`);
  return graph;
}

function decode(bytes: Uint8Array): ModelProto {
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  checkWireFormat(ModelProtoSchema, plain);
  try {
    return fromBinary(ModelProtoSchema, plain, { readUnknownFields: false });
  } catch (cause) {
    throw new FileFormatError(`The file of ${bytes.byteLength} bytes is no ONNX model: it cannot be decoded.`, {
      cause,
    });
  }
}

function readGraph(
  proto: GraphProto,
  opsets: Readonly<Record<string, number>>,
  metadata: Readonly<Record<string, string>>,
): Graph {
  if (proto.sparseInitializer.length > 0)
    throw new UnsupportedError(
      `The model has sparse tensors (${proto.sparseInitializer[0]?.values?.name}), which Espalier does not read. Take the model's safetensors or GGUF.`,
    );
  const initializers = new Map<string, Initializer>();
  for (const tensor of proto.initializer) {
    if (initializers.has(tensor.name))
      throw new FileFormatError(`The tensor ${JSON.stringify(tensor.name)} is there twice. Export the model again.`);
    initializers.set(tensor.name, readTensor(tensor, JSON.stringify(tensor.name)));
  }
  const readType = typeReader([...proto.input, ...proto.output]);
  return {
    name: proto.name,
    inputs: proto.input.filter((input) => !initializers.has(input.name)).map((input) => readType(input, 'input')),
    outputs: proto.output.map((output) => readType(output, 'output')),
    initializers,
    nodes: proto.node.map(readNode),
    opsets,
    metadata,
  };
}

function readOpsets(model: ModelProto): Record<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain: spelling, version } of model.opsetImport) {
    const domain = readDomain(spelling);
    // '' and 'ai.onnx' are one, and writers name both.
    if ((opsets.get(domain) ?? Number(version)) !== Number(version))
      throw new FileFormatError(
        `The model names operator set ${JSON.stringify(domain)} twice, in the versions ${opsets.get(domain)} and ${version}. Export it again.`,
      );
    opsets.set(domain, Number(version));
  }
  return Object.fromEntries(opsets);
}

function readMetadata(model: ModelProto): Record<string, string> {
  return Object.fromEntries(model.metadataProps.map(({ key, value }) => [key, value]));
}

/** Reads the types of graph inputs and outputs. Each unnamed size gets a name that none of `values` uses. */
function typeReader(values: readonly ValueInfoProto[]): (proto: ValueInfoProto, role: string) => ValueInfo {
  const taken = new Set(
    values
      .flatMap(({ type }) => (type?.value.case === 'tensorType' ? (type.value.value.shape?.dim ?? []) : []))
      .map((dim) => dim.value.value),
  );
  let counter = 0;
  const unnamed = (): string => {
    while (taken.has(`unnamed_${counter}`)) counter++;
    return `unnamed_${counter++}`;
  };
  const readDimension = (dim: TensorShapeProto['dim'][number], owner: string): Dimension => {
    if (dim.value.case === 'dimValue') return readSize(dim.value.value, owner);
    return dim.value.case === 'dimParam' && dim.value.value !== '' ? dim.value.value : unnamed();
  };
  return (proto, role) => {
    const owner = `The graph ${role} ${JSON.stringify(proto.name)}`;
    const { elemType, shape } = tensorType(proto.type, owner);
    return {
      name: proto.name,
      dataType: readDataType(elemType, owner),
      shape: shape.dim.map((dim) => readDimension(dim, owner)),
    };
  };
}

function tensorType(
  type: TypeProto | undefined,
  owner: string,
): { readonly elemType: number; readonly shape: TensorShapeProto } {
  const value = type?.value;
  if (value?.case === undefined) throw new FileFormatError(`${owner} has no type.`);
  if (value.case !== 'tensorType')
    throw new UnsupportedError(
      `${owner} is no tensor but a ${value.case.replace('Type', '')}, which Espalier does not read. Take the model's safetensors or GGUF.`,
    );
  if (!value.value.shape) throw new UnsupportedError(`${owner} has no known number of axes, which Espalier needs.`);
  return { elemType: value.value.elemType, shape: value.value.shape };
}
