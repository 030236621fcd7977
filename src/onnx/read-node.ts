import { type AttributeProto, AttributeProto_AttributeType as AttributeType, type NodeProto } from 'onnx-buf';
import { FileFormatError, UnsupportedError } from '../errors.ts';
import type { Attribute, Node } from './graph.ts';
import { readTensor } from './read-tensor.ts';

/** A node of an ONNX file. Throws UnsupportedError for nested graphs and everything else that a Node cannot hold. */
export function readNode(proto: NodeProto): Node {
  const label = `node ${JSON.stringify(proto.name)} (${proto.opType})`;
  if (proto.overload !== '')
    throw new UnsupportedError(
      `The ${label} calls the overload ${proto.overload} of a model function, which Espalier does not read.`,
    );
  const attributes = new Map<string, Attribute>();
  for (const attribute of proto.attribute) {
    if (attribute.name === '' || attributes.has(attribute.name))
      throw new FileFormatError(
        `The ${label} has the attribute ${JSON.stringify(attribute.name)} twice or without a name.`,
      );
    attributes.set(attribute.name, readAttribute(attribute, `${attribute.name} of ${label}`));
  }
  return {
    name: proto.name,
    operator: proto.opType,
    domain: readDomain(proto.domain),
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(attributes),
  };
}

/** ONNX's default domain has two spellings; here it is ''. */
export function readDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function readAttribute(proto: AttributeProto, label: string): Attribute {
  if (proto.refAttrName !== '')
    throw new UnsupportedError(
      `Attribute ${label} refers to ${proto.refAttrName} of a model function, which Espalier does not read.`,
    );
  switch (proto.type) {
    case AttributeType.INT:
      return { kind: 'int', value: readInteger(proto.i, label) };
    case AttributeType.FLOAT:
      return { kind: 'float', value: proto.f };
    case AttributeType.STRING:
      return { kind: 'string', value: readText(proto.s, label) };
    case AttributeType.INTS:
      return { kind: 'ints', value: proto.ints.map((value) => readInteger(value, label)) };
    case AttributeType.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case AttributeType.STRINGS:
      return { kind: 'strings', value: proto.strings.map((value) => readText(value, label)) };
    case AttributeType.TENSOR:
      if (!proto.t) throw new FileFormatError(`Attribute ${label} is a tensor without contents.`);
      return { kind: 'tensor', value: readTensor(proto.t, label) };
    case AttributeType.GRAPH:
    case AttributeType.GRAPHS:
      throw new UnsupportedError(
        `Attribute ${label} is a nested graph (a branch or loop), which Espalier does not read. Merged decoders (decoder_model_merged.onnx) have two: take model.onnx or decoder_model.onnx of the same model, or its safetensors.`,
      );
    case AttributeType.UNDEFINED:
      throw new FileFormatError(`Attribute ${label} has no type.`);
    default:
      throw new UnsupportedError(
        `Attribute ${label} is of the kind ${AttributeType[proto.type]}, which Espalier does not read.`,
      );
  }
}

function readInteger(value: bigint, label: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw new UnsupportedError(`Attribute ${label} is ${value}; Espalier reads whole numbers of magnitude below 2^53.`);
  return number;
}

function readText(bytes: Uint8Array, label: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new UnsupportedError(`Attribute ${label} is a string of ${bytes.byteLength} bytes that are not UTF-8 text.`, {
      cause,
    });
  }
}
