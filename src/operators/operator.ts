import type { GraphBuilder } from '../onnx/builder.ts';
import type { DataType, Node } from '../onnx/graph.ts';

/** A value at concrete sizes. `constant` holds the elements of small tensors (shapes, axes, scalars) where they are known. */
export interface ConcreteType {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly constant?: readonly number[] | undefined;
}

/** What a gradient rule sees: the node, its concrete types at example sizes, and a builder to append ordinary operators to. */
export interface GradientContext {
  readonly node: Node;
  readonly builder: GraphBuilder;
  readonly inputTypes: readonly (ConcreteType | undefined)[];
  readonly outputTypes: readonly ConcreteType[];
  /** Per input and axis the size where it does not depend on a symbolic dimension; undefined where it does. */
  readonly knownInputSizes: readonly (readonly (number | undefined)[] | undefined)[];
  /** Gradients of the loss with respect to each output; undefined where the output does not reach the loss. */
  readonly outputGradients: readonly (string | undefined)[];
  /** Whether the gradient of input i is wanted; a rule may skip work for the others. */
  readonly wanted: readonly boolean[];
}

/**
 * How an operator ties the dimensions of its inputs and outputs together, for discovery. The trace (passes/coupling-trace.ts) works on
 * labelled atoms: an axis is a product of atoms, and an atom may turn out to be a product or a concatenation of finer ones.
 */
export interface CouplingContext {
  readonly node: Node;
  readonly inputTypes: readonly (ConcreteType | undefined)[];
  readonly outputTypes: readonly ConcreteType[];
  /** Atoms of each axis of each input; a rule may refine them through the trace. */
  readonly inputAxes: readonly (readonly AxisAtoms[] | undefined)[];
  readonly trace: CouplingTrace;
}

/** A set of coordinates that axes share, such as the key/value heads or one half of a head. Identity is by object; `size` is concrete. */
export interface Atom {
  readonly id: number;
  readonly size: number;
}

/** An axis as a product of atoms, outermost first. */
export type AxisAtoms = readonly Atom[];

/** Operations that a coupling rule may perform on the trace. Where two layouts of one axis cannot be reconciled, the trace pins it. */
export interface CouplingTrace {
  /** New coordinates that nothing else shares. */
  fresh(size: number): Atom;
  /** States that two axes of equal size index the same coordinates (elementwise, contraction). Refines atoms where factorisations differ. */
  unify(a: AxisAtoms, b: AxisAtoms): AxisAtoms;
  /** Refactors consecutive axes into new sizes (reshape). */
  regroup(axes: readonly AxisAtoms[], sizes: readonly number[]): AxisAtoms[];
  /** Cuts an axis into consecutive parts of the given sizes (split, slice). */
  cut(axis: AxisAtoms, sizes: readonly number[]): AxisAtoms[];
  /** One axis that holds the given ones after each other (concat). */
  concatenate(parts: readonly AxisAtoms[]): AxisAtoms;
  /** Marks an axis that may not be pruned because the operator mixes or measures it as a whole, with the reason. Axes of size 1 are left free. */
  pin(axis: AxisAtoms, reason: string): void;
}

/** The four things that an ONNX operator knows (docs/architecture.md section 1). A file per family lists its operators. */
export interface Operator {
  readonly type: string;
  readonly domain: string;
  /** Output types from input types at concrete sizes. Throws MismatchError naming the node when they do not fit. */
  infer(node: Node, inputs: readonly (ConcreteType | undefined)[]): ConcreteType[];
  /** Appends operators that compute input gradients; returns one name per input, undefined where not wanted or zero. Absent: not differentiable. */
  readonly gradient?: (context: GradientContext) => (string | undefined)[];
  /** Atoms of each axis of each output. Absent: discovery refuses the graph, naming the operator. */
  readonly coupling?: (context: CouplingContext) => (readonly AxisAtoms[])[];
  /** Multiply-accumulates of one execution at concrete sizes. Absent: none, as of all but matrix products. */
  readonly multiplyAccumulates?: (
    node: Node,
    inputs: readonly (ConcreteType | undefined)[],
    outputs: readonly ConcreteType[],
  ) => number;
}
