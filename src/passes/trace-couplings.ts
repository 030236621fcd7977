import { UnsupportedError, UsageError } from '../errors.ts';
import type { Graph, Node } from '../onnx/graph.ts';
import type { AxisAtoms, ConcreteType } from '../operators/operator.ts';
import { operatorFor } from '../operators/registry.ts';
import { AtomTrace, type Layout } from './coupling-trace.ts';
import { type Bindings, inferShapes, inputTypes, typeOf } from './infer-shapes.ts';

/** Coordinates that several axes share: removing one of them means removing it from every axis of the class. */
export interface CouplingClass {
  readonly id: number;
  readonly size: number;
  /** Why operators do not allow to remove coordinates; empty where they do. */
  readonly pinned: readonly string[];
  /** Inputs and constants that are not weights and carry the class. */
  readonly inputs: readonly string[];
  /** Graph outputs that carry the class. */
  readonly outputs: readonly string[];
}

export interface Couplings {
  /** Per weight the layout of each axis in classes. */
  readonly weights: ReadonlyMap<string, readonly Layout[]>;
  readonly classes: ReadonlyMap<number, CouplingClass>;
}

/**
 * Follows every axis through a graph, operator by operator, and tells which coordinates of which weights belong together
 * (docs/method.md section 1). `weights` names graph inputs or initializers, `tables` inputs that are made anew for any sizes and hold nothing back. Names of values and nodes play no part.
 * Throws UnsupportedError naming an operator that has no coupling rule, UsageError for a weight that the graph does not have.
 */
export function traceCouplings(
  graph: Graph,
  bindings: Bindings,
  weights: readonly string[],
  tables: readonly string[] = [],
): Couplings {
  const types = inferShapes(graph, bindings);
  const trace = new AtomTrace();
  const sources = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  const missing = weights.find((name) => !sources.has(name));
  if (missing)
    throw new UsageError(
      `The graph ${graph.name} has no input or initializer called ${missing}; weights must be among ${[...sources].slice(0, 20).join(', ')}.`,
    );

  const axes = new Map<string, readonly AxisAtoms[]>();
  const fresh = ({ shape }: ConcreteType) => shape.map((size) => [trace.fresh(size)]);
  for (const name of sources) axes.set(name, fresh(typeOf(types, name)));
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((name) => typeOf(types, name));
    // Values that shape inference knows (shapes, sizes) carry no coordinates of the network.
    const result = outputs.every(({ constant }) => constant)
      ? outputs.map(fresh)
      : couple(node, outputs, types, axes, trace);
    node.outputs.forEach((name, index) => {
      axes.set(name, result[index] ?? []);
    });
  }
  return summarise(graph, new Set(weights), new Set(tables), sources, axes, trace);
}

function couple(
  node: Node,
  outputTypes: readonly ConcreteType[],
  types: ReadonlyMap<string, ConcreteType>,
  axes: ReadonlyMap<string, readonly AxisAtoms[]>,
  trace: AtomTrace,
): (readonly AxisAtoms[])[] {
  const { coupling } = operatorFor(node);
  if (!coupling)
    throw new UnsupportedError(
      `Node ${node.name} uses ${node.operator}, for which there is no coupling rule, so what belongs together in ${node.outputs.join(', ')} is unknown.`,
    );
  return coupling({
    node,
    inputTypes: inputTypes(node, types),
    outputTypes,
    inputAxes: node.inputs.map((name) => axes.get(name)),
    trace,
  });
}

function summarise(
  graph: Graph,
  weights: ReadonlySet<string>,
  tables: ReadonlySet<string>,
  sources: ReadonlySet<string>,
  axes: ReadonlyMap<string, readonly AxisAtoms[]>,
  trace: AtomTrace,
): Couplings {
  const classes = new Map<
    number,
    { id: number; size: number; pinned: readonly string[]; inputs: string[]; outputs: string[] }
  >();
  const visit = (name: string, list: 'inputs' | 'outputs' | undefined) => {
    for (const leaf of (axes.get(name) ?? []).flatMap((axis) => trace.leaves(axis))) {
      const known = classes.get(leaf.id) ?? {
        id: leaf.id,
        size: leaf.size,
        pinned: trace.reasons(leaf),
        inputs: [],
        outputs: [],
      };
      classes.set(leaf.id, known);
      if (list && !known[list].includes(name)) known[list].push(name);
    }
  };
  for (const name of sources) visit(name, weights.has(name) || tables.has(name) ? undefined : 'inputs');
  for (const { name } of graph.outputs) visit(name, 'outputs');
  const layouts = [...weights].map((name) => [name, (axes.get(name) ?? []).map((axis) => trace.layout(axis))] as const);
  return { weights: new Map(layouts), classes };
}
