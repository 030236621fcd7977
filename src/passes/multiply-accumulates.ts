import type { Graph } from '../onnx/graph.ts';
import { operatorFor } from '../operators/registry.ts';
import { type Bindings, inferShapes, inputTypes, typeOf } from './infer-shapes.ts';

/** Multiply-accumulates of one run of a graph at the given sizes: those of its matrix products. */
export function multiplyAccumulates(graph: Graph, bindings: Bindings): number {
  const types = inferShapes(graph, bindings);
  return graph.nodes.reduce((sum, node) => {
    const outputs = node.outputs.map((name) => typeOf(types, name));
    return sum + (operatorFor(node).multiplyAccumulates?.(node, inputTypes(node, types), outputs) ?? 0);
  }, 0);
}
