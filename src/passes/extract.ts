import { UsageError } from '../errors.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';

/** The part of a graph that computes the given values, which become its outputs; inputs, initializers and nodes that they do not need are left out. */
export function extract(graph: Graph, outputs: readonly ValueInfo[], name = graph.name): Graph {
  const needed = new Set(outputs.map((output) => output.name));
  const nodes = [...graph.nodes].reverse().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output))) return false;
    for (const input of node.inputs) needed.add(input);
    return true;
  });
  const produced = new Set(nodes.flatMap((node) => node.outputs));
  for (const output of outputs) {
    if (!produced.has(output.name))
      throw new UsageError(`The graph ${graph.name} has no node that computes ${output.name}.`);
  }
  return {
    ...graph,
    name,
    outputs: [...outputs],
    inputs: graph.inputs.filter((input) => needed.has(input.name)),
    initializers: new Map([...graph.initializers].filter(([key]) => needed.has(key))),
    nodes: nodes.reverse(),
  };
}
