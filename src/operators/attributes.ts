import { UnsupportedError } from '../errors.ts';
import type { Attribute, Initializer, Node } from '../onnx/graph.ts';

/** How messages name a node: 'node/gemm_1 (Gemm)'. */
export function nameOf(node: Node): string {
  return `${node.name} (${node.domain === '' ? '' : `${node.domain}.`}${node.operator})`;
}

/** A whole-number attribute, or `fallback` where the node does not set it. */
export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  if (!attribute) return fallback;
  return attribute.kind === 'int' ? attribute.value : wrongKind(node, name, attribute, 'int');
}

/** A real-number attribute; an int is taken as it is, because builders write 1 for 1.0. */
export function floatAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  if (!attribute) return fallback;
  return attribute.kind === 'float' || attribute.kind === 'int'
    ? attribute.value
    : wrongKind(node, name, attribute, 'float');
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  if (!attribute) return fallback;
  return attribute.kind === 'string' ? attribute.value : wrongKind(node, name, attribute, 'string');
}

export function intsAttribute(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  if (!attribute) return undefined;
  return attribute.kind === 'ints' ? attribute.value : wrongKind(node, name, attribute, 'ints');
}

export function tensorAttribute(node: Node, name: string): Initializer | undefined {
  const attribute = node.attributes[name];
  if (!attribute) return undefined;
  return attribute.kind === 'tensor' ? attribute.value : wrongKind(node, name, attribute, 'tensor');
}

function wrongKind(node: Node, name: string, attribute: Attribute, wanted: string): never {
  throw new UnsupportedError(
    `${nameOf(node)}: attribute ${name} is of kind ${attribute.kind}; ${wanted} is supported. Export the model again with a standard exporter.`,
  );
}
