import { MismatchError } from '../errors.ts';
import type { Graph, ValueInfo } from '../onnx/graph.ts';

/**
 * The graph from given values on: they become inputs (those that something still reads), and nodes that only served to compute them are left out. Other inputs stay, in their
 * order, where something reads them. Throws MismatchError for a value that no node computes, and for one that is an output.
 */
export function cut(graph: Graph, values: readonly ValueInfo[]): Graph {
  const given = new Set(values.map(({ name }) => name));
  const computed = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  for (const name of given) {
    if (graph.outputs.some((output) => output.name === name))
      throw new MismatchError(`${name} is an output of ${graph.name}; a graph cannot be cut there.`);
  }
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const nodes = graph.nodes
    .toReversed()
    .filter(({ inputs, outputs }) => {
      const open = outputs.filter((output) => !given.has(output));
      if (open.length < outputs.length && open.some((output) => needed.has(output)))
        throw new MismatchError(`${outputs.join(', ')} of ${graph.name} come from one node; cut at all of them.`);
      if (!open.some((output) => needed.has(output))) return false;
      for (const input of inputs) needed.add(input);
      return true;
    })
    .reverse();
  const fresh = values.filter(({ name }) => needed.has(name) && computed.has(name));
  return {
    ...graph,
    inputs: [...graph.inputs.filter(({ name }) => needed.has(name)), ...fresh],
    initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))),
    nodes,
  };
}
