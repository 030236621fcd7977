import type { Attribute, Graph, Node } from '../onnx/graph.ts';

/**
 * The same function with fewer nodes: equal computations are shared, the transpose of a transpose is one transpose or none,
 * an Identity that only names a graph output is absorbed, and nodes that reach no output are dropped. Names of inputs, outputs
 * and surviving values stay.
 */
export function simplify(graph: Graph): Graph {
  const alias = new Map<string, string>();
  const producers = new Map<string, Node>();
  const seen = new Map<string, Node>();
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const nodes: Node[] = [];
  for (const original of graph.nodes) {
    const renamed = { ...original, inputs: original.inputs.map((name) => alias.get(name) ?? name) };
    const node = composeTransposes(renamed, producers);
    const key = `${node.domain}/${node.operator}(${node.inputs.join(',')})${attributesKey(node.attributes)}#${node.outputs.length}`;
    const twin = seen.get(key);
    const same = node.operator === 'Identity' && node.domain === '' ? node.inputs : twin?.outputs;
    // A graph output keeps its own node, so that its name stays.
    if (same && node.outputs.every((name) => !outputs.has(name))) {
      node.outputs.forEach((name, index) => {
        alias.set(name, same[index] ?? name);
      });
      continue;
    }
    if (!twin) seen.set(key, node);
    for (const name of node.outputs) producers.set(name, node);
    nodes.push(node);
  }
  return { ...graph, ...live(graph, absorbOutputNames(nodes, outputs)) };
}

/** Transpose(Transpose(x, p), q) reads x directly. */
function composeTransposes(node: Node, producers: ReadonlyMap<string, Node>): Node {
  const source = producers.get(node.inputs[0] ?? '');
  const outer = node.attributes.perm;
  const inner = source?.attributes.perm;
  if (
    node.operator !== 'Transpose' ||
    source?.operator !== 'Transpose' ||
    outer?.kind !== 'ints' ||
    inner?.kind !== 'ints'
  )
    return node;
  const perm = outer.value.map((axis) => inner.value[axis] ?? axis);
  if (perm.every((axis, index) => axis === index))
    return { ...node, operator: 'Identity', inputs: source.inputs, attributes: {} };
  return { ...node, inputs: source.inputs, attributes: { perm: { kind: 'ints', value: perm } } };
}

/** Where an output is an Identity of a value that a node computes, that node computes the output itself. */
function absorbOutputNames(nodes: readonly Node[], outputs: ReadonlySet<string>): Node[] {
  const computed = new Set(nodes.flatMap((node) => (node.operator === 'Identity' ? [] : node.outputs)));
  const names = new Map<string, string>();
  const kept: Node[] = [];
  for (const node of nodes) {
    const [from] = node.inputs;
    const [to] = node.outputs;
    const absorbs =
      node.operator === 'Identity' &&
      node.domain === '' &&
      from &&
      to &&
      outputs.has(to) &&
      computed.has(from) &&
      !outputs.has(from) &&
      !names.has(from);
    if (absorbs) names.set(from, to);
    else kept.push(node);
  }
  const rename = (name: string) => names.get(name) ?? name;
  return kept.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
}

/** Nodes and initializers that some output needs. */
function live(graph: Graph, nodes: readonly Node[]): Pick<Graph, 'nodes' | 'initializers'> {
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const kept: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of node.inputs) needed.add(name);
    kept.push(node);
  }
  return { nodes: kept.reverse(), initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))) };
}

function attributesKey(attributes: Readonly<Record<string, Attribute>>): string {
  const entries = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(entries, (_key, value: unknown) => (value instanceof Uint8Array ? Array.from(value) : value));
}
