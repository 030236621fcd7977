import { UnsupportedError, UsageError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Dimension, Graph, ValueInfo } from '../onnx/graph.ts';
import type { ConcreteType } from '../operators/operator.ts';
import { operatorFor } from '../operators/registry.ts';
import { isFloating } from '../operators/shapes.ts';
import { type Bindings, inferShapes, inputTypes, knownSizes, typeOf } from './infer-shapes.ts';
import { simplify } from './simplify.ts';

export interface DifferentiateOptions {
  /** Where the gradient enters: per output (or any value) the name of the new graph input that carries dL/d(output). */
  readonly seeds: Readonly<Record<string, string>>;
  /** Values whose gradient is wanted: inputs, weights, intermediates. Nothing is computed for others. */
  readonly wrt: readonly string[];
  /** Forward values that the result gives out too, under their own names. */
  readonly taps?: readonly string[];
  /** Values that no gradient flows through. */
  readonly constants?: readonly string[];
  /**
   * Example sizes of the symbolic dimensions, larger than 1 and best all different: an axis of size 1 counts as broadcast.
   * The result is valid at any size.
   */
  readonly bindings: Bindings;
}

/** Name of the output that carries the gradient of `value`. */
export const gradientOf = (value: string): string => `gradient/${value}`;

/**
 * The backward graph of `graph` by reverse accumulation, made of ordinary operators: it has all inputs of `graph` and the seeds,
 * recomputes what it needs of the forward graph, and outputs `gradient/<value>` for each value of `wrt` and the taps.
 * Throws UsageError for unknown names and for values that the seeds do not depend on, UnsupportedError naming a node that the
 * gradient would have to cross and cannot.
 */
export function differentiate(graph: Graph, options: DifferentiateOptions): Graph {
  const { seeds, wrt, taps = [], constants = [], bindings } = options;
  const types = inferShapes(graph, bindings);
  for (const name of [...Object.keys(seeds), ...wrt, ...taps, ...constants]) {
    if (!types.has(name))
      throw new UsageError(`The graph ${graph.name} has no value called ${name} to differentiate or tap.`);
  }
  const stopped = wrt.find((name) => constants.includes(name));
  if (stopped) throw new UsageError(`${stopped} cannot be a constant and have its gradient wanted at once.`);
  const builder = new GraphBuilder(`${graph.name}/gradient`, graph);
  const declared = new Map<string, ValueInfo>([...graph.inputs, ...graph.outputs].map((info) => [info.name, info]));
  const shapeOf = (name: string, label = name): readonly Dimension[] =>
    declared.get(name)?.shape ??
    graph.initializers.get(name)?.shape ??
    typeOf(types, name).shape.map((_, axis) => `${label}/${axis}`);

  const gradients = new Accumulator(builder);
  for (const [value, seed] of Object.entries(seeds))
    gradients.add(value, builder.input(seed, typeOf(types, value).dataType, shapeOf(value)));
  propagate(
    graph,
    builder,
    types,
    knownSizes(graph, bindings, types),
    activeValues(graph, types, wrt, constants),
    gradients,
  );

  for (const value of wrt) {
    const gradient = gradients.of(value);
    if (!gradient)
      throw new UsageError(
        `None of ${Object.keys(seeds).join(', ')} depends on ${value}, so it has no gradient; leave it out of wrt.`,
      );
    builder.output(gradient, typeOf(types, value).dataType, shapeOf(value), gradientOf(value));
  }
  const outputNames = new Set(wrt.map(gradientOf));
  for (const value of taps)
    if (!outputNames.has(value)) builder.output(value, typeOf(types, value).dataType, shapeOf(value));
  return simplify(builder.build(graph.metadata));
}

/** Visits the nodes from last to first; each turns the gradients of its outputs into contributions to its active inputs. */
function propagate(
  graph: Graph,
  builder: GraphBuilder,
  types: ReadonlyMap<string, ConcreteType>,
  known: ReadonlyMap<string, readonly (number | undefined)[]>,
  active: ReadonlySet<string>,
  gradients: Accumulator,
): void {
  for (const node of graph.nodes.toReversed()) {
    const wanted = node.inputs.map((name) => active.has(name));
    if (!wanted.includes(true) || !node.outputs.some((name) => active.has(name))) continue;
    const outputGradients = node.outputs.map((name) => gradients.of(name));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const { gradient } = operatorFor(node);
    if (!gradient)
      throw new UnsupportedError(
        `Node ${node.name} uses ${node.operator}, which has no gradient. Name its output in constants if no gradient should flow through it.`,
      );
    const contributions = gradient({
      node,
      builder,
      inputTypes: inputTypes(node, types),
      outputTypes: node.outputs.map((name) => typeOf(types, name)),
      knownInputSizes: node.inputs.map((name) => known.get(name)),
      outputGradients,
      wanted,
    });
    node.inputs.forEach((name, index) => {
      const contribution = contributions[index];
      if (wanted[index] && contribution) gradients.add(name, contribution);
    });
  }
}

/** Values that are wanted or are computed from one that is. */
function activeValues(
  graph: Graph,
  types: ReadonlyMap<string, ConcreteType>,
  wrt: readonly string[],
  constants: readonly string[],
): ReadonlySet<string> {
  const stopped = new Set(constants);
  const active = new Set<string>();
  for (const name of wrt) {
    const { dataType } = typeOf(types, name);
    if (!isFloating(dataType))
      throw new UsageError(`${name} is ${dataType}; gradients exist for floating-point values only.`);
    active.add(name);
  }
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => active.has(name))) continue;
    for (const name of node.outputs)
      if (name !== '' && !stopped.has(name) && isFloating(typeOf(types, name).dataType)) active.add(name);
  }
  return active;
}

/** Sums the contributions to each value's gradient, in the order of arrival. */
class Accumulator {
  readonly #builder: GraphBuilder;
  readonly #sums = new Map<string, string>();

  constructor(builder: GraphBuilder) {
    this.#builder = builder;
  }

  add(value: string, gradient: string): void {
    const sum = this.#sums.get(value);
    this.#sums.set(value, sum === undefined ? gradient : this.#builder.add('Add', [sum, gradient]));
  }

  of(value: string): string | undefined {
    return this.#sums.get(value);
  }
}
