import type { Graph } from '../onnx/graph.ts';
import { operatorFor } from '../operators/registry.ts';
import { type Bindings, inferShapes, inputTypes, typeOf } from './infer-shapes.ts';

/** Floating-point operations of one run of a graph at the given sizes (a multiply and an add count as two). */
export function cost(graph: Graph, bindings: Bindings): number {
  const types = inferShapes(graph, bindings);
  let total = 0;
  for (const node of graph.nodes) {
    const outputs = node.outputs.map((name) => typeOf(types, name));
    total += operatorFor(node).cost(node, inputTypes(node, types), outputs);
  }
  return total;
}
