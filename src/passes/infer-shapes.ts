import { MismatchError, UsageError } from '../errors.ts';
import type { Dimension, Graph, Node } from '../onnx/graph.ts';
import { initializerType } from '../operators/initializer-type.ts';
import type { ConcreteType } from '../operators/operator.ts';
import { operatorFor } from '../operators/registry.ts';

/** Sizes of symbolic dimensions, e.g. { batch: 2, tokens: 7 }. */
export type Bindings = Readonly<Record<string, number>>;

/**
 * Types of every value of a graph (inputs, initializers, node outputs) with its symbolic dimensions bound.
 * Throws UsageError for an unbound dimension, UnsupportedError for an unknown operator and MismatchError where shapes do not fit.
 */
export function inferShapes(graph: Graph, bindings: Bindings): Map<string, ConcreteType> {
  const types = new Map<string, ConcreteType>();
  for (const [name, initializer] of graph.initializers) types.set(name, initializerType(initializer));
  for (const input of graph.inputs) {
    if (types.has(input.name)) continue;
    types.set(input.name, {
      dataType: input.dataType,
      shape: input.shape.map((dimension) => bind(dimension, bindings, input.name)),
    });
  }
  for (const node of graph.nodes) {
    const outputs = operatorFor(node).infer(node, inputTypes(node, types));
    node.outputs.forEach((name, index) => {
      const type = outputs[index];
      if (name !== '' && type) types.set(name, type);
    });
  }
  return types;
}

/** Types of a node's inputs; undefined where an optional input is absent. */
export function inputTypes(node: Node, types: ReadonlyMap<string, ConcreteType>): (ConcreteType | undefined)[] {
  return node.inputs.map((name) => (name === '' ? undefined : typeOf(types, name)));
}

/** The type of a value that must be in the graph. */
export function typeOf(types: ReadonlyMap<string, ConcreteType>, name: string): ConcreteType {
  const type = types.get(name);
  if (!type) throw new MismatchError(`The graph has no value called ${name}.`);
  return type;
}

function bind(dimension: Dimension, bindings: Bindings, input: string): number {
  if (typeof dimension === 'number') return dimension;
  const size = bindings[dimension];
  if (size === undefined)
    throw new UsageError(
      `The symbolic dimension ${dimension} of the input ${input} has no size; bind it, as in { ${dimension}: 3 }.`,
    );
  return size;
}

/**
 * Per value and axis the size where it does not depend on a symbolic dimension, else undefined. Found by inferring again with
 * every symbol at another size; where symbols depend on each other (query channels are a multiple of key channels), all are doubled.
 */
export function knownSizes(
  graph: Graph,
  bindings: Bindings,
  types: ReadonlyMap<string, ConcreteType>,
): Map<string, (number | undefined)[]> {
  const resize = (change: (size: number, index: number) => number) =>
    Object.fromEntries(Object.entries(bindings).map(([symbol, size], index) => [symbol, change(size, index)]));
  const others =
    inferIfFitting(
      graph,
      resize((size, index) => size + 1 + 2 * index),
    ) ??
    inferIfFitting(
      graph,
      resize((size) => 2 * size),
    );
  const known = new Map<string, (number | undefined)[]>();
  for (const [name, { shape }] of types) {
    known.set(
      name,
      shape.map((size, axis) => (others?.get(name)?.shape[axis] === size ? size : undefined)),
    );
  }
  return known;
}

function inferIfFitting(graph: Graph, bindings: Bindings): ReadonlyMap<string, ConcreteType> | undefined {
  try {
    return inferShapes(graph, bindings);
  } catch (error) {
    if (error instanceof MismatchError) return undefined;
    throw error;
  }
}
