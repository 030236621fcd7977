import { tensorByteLength } from './data-types.ts';
import { findLocationProblem } from './external-location.ts';
import type { Dimension, Graph, Initializer } from './graph.ts';

/**
 * The first thing that makes `graph` invalid, as a sentence, or undefined: every value has one producer, nodes are in topological order,
 * every node's domain has an operator set, outputs exist, sizes are whole numbers, and tensors hold as many bytes as their shapes say.
 */
export function findGraphProblem(graph: Graph): string | undefined {
  return findInterfaceProblem(graph) ?? findNodeProblem(graph) ?? findOutputProblem(graph);
}

/** What is wrong with a tensor called `name`, or undefined. Looks at sizes only, and reads no contents. */
export function findTensorProblem(name: string, tensor: Initializer): string | undefined {
  const problem = findShapeProblem(tensor.shape);
  if (problem) return `Tensor ${name} has ${problem}`;
  const expected = tensorByteLength(tensor.dataType, tensor.shape);
  const { contents } = tensor;
  const found = contents.kind === 'bytes' ? contents.bytes.byteLength : contents.length;
  if (!Number.isSafeInteger(expected) || found !== expected)
    return `Tensor ${name} of ${tensor.dataType} [${tensor.shape.join(', ')}] needs ${expected} bytes, but ${found} are given.`;
  if (contents.kind === 'bytes') return undefined;
  const location = findLocationProblem(contents.location);
  if (location)
    return `Tensor ${name} has the external data location ${JSON.stringify(contents.location)}, which is refused because ${location}.`;
  if (!isSize(contents.offset) || !isSize(contents.offset + contents.length))
    return `Tensor ${name} lies at bytes ${contents.offset} + ${contents.length} of ${contents.location}; both must be whole numbers below 2^53.`;
  return undefined;
}

function findInterfaceProblem(graph: Graph): string | undefined {
  const names = new Set<string>();
  for (const { name, shape } of graph.inputs) {
    if (name === '') return 'A graph input has no name.';
    if (names.has(name)) return `The graph input ${name} is declared twice.`;
    names.add(name);
    const problem = findShapeProblem(shape);
    if (problem) return `Graph input ${name} has ${problem}`;
  }
  for (const [name, tensor] of graph.initializers) {
    if (name === '') return 'An initializer has no name.';
    if (names.has(name)) return `The value ${name} is both a graph input and an initializer.`;
    const problem = findTensorProblem(name, tensor);
    if (problem) return problem;
  }
  if (graph.opsets[''] === undefined) return "The graph names no version of the default operator set ('').";
  for (const [domain, version] of Object.entries(graph.opsets))
    if (!Number.isSafeInteger(version) || version < 1)
      return `Operator set ${JSON.stringify(domain)} has version ${version}; it must be a whole number from 1.`;
  return undefined;
}

function findNodeProblem(graph: Graph): string | undefined {
  const known = new Set([...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) {
    const label = `Node ${JSON.stringify(node.name)} (${node.operator})`;
    if (node.operator === '') return `${label} has no operator.`;
    if (graph.opsets[node.domain] === undefined)
      return `${label} is of the domain ${JSON.stringify(node.domain)}, for which the graph names no operator set.`;
    for (const input of node.inputs)
      if (input !== '' && !known.has(input))
        return `${label} reads ${input}, which no graph input, initializer or earlier node provides.`;
    for (const output of node.outputs) {
      if (output === '') continue;
      if (known.has(output)) return `${label} writes ${output}, which already has a producer.`;
      known.add(output);
    }
    for (const [name, attribute] of Object.entries(node.attributes)) {
      const problem =
        attribute.kind === 'tensor' ? findTensorProblem(`${name} of ${label}`, attribute.value) : undefined;
      if (problem) return problem;
    }
  }
  return undefined;
}

function findOutputProblem(graph: Graph): string | undefined {
  const known = new Set([
    ...graph.inputs.map((input) => input.name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
  ]);
  const names = new Set<string>();
  for (const { name, shape } of graph.outputs) {
    if (name === '' || !known.has(name))
      return `The graph output ${JSON.stringify(name)} is produced by nothing in the graph.`;
    if (names.has(name)) return `The graph output ${name} is declared twice.`;
    names.add(name);
    const problem = findShapeProblem(shape);
    if (problem) return `Graph output ${name} has ${problem}`;
  }
  return undefined;
}

function findShapeProblem(shape: readonly Dimension[]): string | undefined {
  for (const size of shape) {
    if (typeof size === 'number' ? !isSize(size) : size === '')
      return `the shape [${shape.join(', ')}]; a size must be a whole number from 0 or the name of a symbolic size.`;
  }
  return undefined;
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
