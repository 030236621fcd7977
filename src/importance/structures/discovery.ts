import { elementCount } from '../../arrays.ts';
import { MismatchError } from '../../errors.ts';
import type { Graph } from '../../onnx/graph.ts';
import { type Layout, MISFIT } from '../../passes/coupling-trace.ts';
import { type Bindings, inferShapes, typeOf } from '../../passes/infer-shapes.ts';
import { type CouplingClass, type Couplings, traceCouplings } from '../../passes/trace-couplings.ts';
import type { CoupledStructure, MemberSlice } from './structures.ts';

/** Weights whose axis is the hidden size: the coupling that crosses blocks. Reported, not offered for pruning. */
export interface Residual {
  readonly size: number;
  readonly members: readonly { readonly weight: string; readonly axis: number }[];
}

/** Coordinates that belong together but are not offered, and why: for people who ask what discovery saw. */
export interface WithheldClass {
  readonly size: number;
  readonly members: readonly { readonly weight: string; readonly axis: number }[];
  readonly reasons: readonly string[];
}

export interface Discovery {
  /** Coupled structures in the order in which their first weights enter the graph. */
  readonly structures: readonly CoupledStructure[];
  readonly residual: Residual | undefined;
  readonly withheld: readonly WithheldClass[];
}

/**
 * Coupled structures of one block (docs/method.md section 1), found by tracing its graph operator by operator at the sizes of `bindings`,
 * never from names. Offered is every class of coordinates that lives on weights alone, that no operator mixes or measures as a whole,
 * and that is the outermost division of each weight axis it is on: key/value heads, channels of a convolution, neurons. Finer divisions (query heads within a group,
 * channels within a head) go with the group that holds them. Heads that an operator measures as a whole, as a norm over all of them does, are one group: they stay or go together.
 * `tables` are inputs that are made anew for any widths. Throws UnsupportedError naming an operator without coupling rule.
 */
export function discover(
  graph: Graph,
  weights: readonly string[],
  bindings: Bindings,
  tables: readonly string[] = [],
): Discovery {
  const types = inferShapes(graph, bindings);
  const couplings = traceCouplings(graph, bindings, weights, tables);
  const idle = idleUnits(couplings);
  const shapeOf = (weight: string) => typeOf(types, weight).shape;
  const structures: CoupledStructure[] = [];
  const withheld: WithheldClass[] = [];
  let residual: Residual | undefined;
  for (const candidate of couplings.classes.values()) {
    const members = membersOf(couplings, candidate.id);
    if (members.length === 0) continue;
    if (idle.has(candidate.id)) continue;
    const reasons = reasonsAgainst(couplings, candidate, members, idle);
    const crossing = candidate.size > 1 && candidate.inputs.length > 0 && candidate.outputs.length > 0;
    if (crossing && (!residual || candidate.size > residual.size)) residual = { size: candidate.size, members };
    else if (reasons.length === 0) structures.push(structureOf(couplings, candidate, members, shapeOf));
    else if (candidate.size > 1) {
      withheld.push({ size: candidate.size, members, reasons });
      const whole = structureOf(couplings, candidate, members, shapeOf);
      if (whole.kind === 'attention' && isOnlyMeasured(candidate, reasons))
        structures.push(inseparable(whole, shapeOf));
    }
  }
  const order = (structure: CoupledStructure) =>
    Math.min(...structure.members.map(({ weight }) => weights.indexOf(weight)));
  return { structures: structures.sort((a, b) => order(a) - order(b)), residual, withheld };
}

/** Whether nothing stands against a class but that operators measure it as a whole. */
function isOnlyMeasured({ pinned }: CouplingClass, reasons: readonly string[]): boolean {
  return reasons.length === pinned.length && !pinned.includes(MISFIT);
}

type Member = { readonly weight: string; readonly axis: number };

function membersOf(couplings: Couplings, id: number): Member[] {
  return [...couplings.weights].flatMap(([weight, axes]) =>
    axes.flatMap((layout, axis) => (contains(layout, id) ? [{ weight, axis }] : [])),
  );
}

/**
 * Classes of size 1 that say nothing: on one weight only, or on the very axes of a larger class. What remains ties different divisions
 * together, as a single key/value head ties its query heads to its keys.
 */
function idleUnits(couplings: Couplings): ReadonlySet<number> {
  const keyOf = (id: number) =>
    membersOf(couplings, id)
      .map(({ weight, axis }) => `${weight}[${axis}]`)
      .join();
  const classes = [...couplings.classes.values()];
  const larger = new Set(classes.filter(({ size }) => size > 1).map(({ id }) => keyOf(id)));
  const units = classes.filter(({ size }) => size === 1);
  return new Set(
    units
      .filter(
        ({ id }) => new Set(membersOf(couplings, id).map(({ weight }) => weight)).size < 2 || larger.has(keyOf(id)),
      )
      .map(({ id }) => id),
  );
}

function reasonsAgainst(
  couplings: Couplings,
  { id, pinned, inputs, outputs }: CouplingClass,
  members: readonly Member[],
  idle: ReadonlySet<number>,
): string[] {
  const reasons = [...pinned];
  if (inputs.length > 0) reasons.push(`it is an axis of ${inputs.join(', ')}`);
  if (outputs.length > 0) reasons.push(`it is an axis of the output ${outputs.join(', ')}`);
  if (members.some(({ weight, axis }) => !isOutermost(layoutAt(couplings, weight, axis), id, idle)))
    reasons.push('it is a division within a larger group');
  return reasons;
}

function structureOf(
  couplings: Couplings,
  { id, size: groups }: CouplingClass,
  found: readonly Member[],
  shapeOf: (weight: string) => readonly number[],
): CoupledStructure {
  const members = found.map(({ weight, axis }) => ({
    weight,
    axis,
    groupOfChannel: coordinates(layoutAt(couplings, weight, axis), id),
  }));
  const channelsPerGroup = ({ groupOfChannel }: MemberSlice) => groupOfChannel.filter((group) => group === 0).length;
  const parametersPerGroup = members.reduce((sum, member) => {
    const others = shapeOf(member.weight).filter((_, axis) => axis !== member.axis);
    return sum + channelsPerGroup(member) * elementCount(others);
  }, 0);
  // A head spans several channels of its weights, a neuron one; a channel of a convolution too, and it has a kernel, a weight of three axes.
  const hasKernel = members.some(({ weight }) => shapeOf(weight).length === 3);
  const isHead = members.some((member) => channelsPerGroup(member) > 1);
  return {
    kind: hasKernel ? 'convolution' : isHead ? 'attention' : 'mlp',
    groups,
    parametersPerGroup,
    members,
  };
}

/** All heads as one group. What measures them, such as the weight of a norm, is counted with it and is no part of it: it is never cut. */
function inseparable(structure: CoupledStructure, shapeOf: (weight: string) => readonly number[]): CoupledStructure {
  return {
    ...structure,
    groups: 1,
    parametersPerGroup: structure.groups * structure.parametersPerGroup,
    members: structure.members
      .filter(({ weight }) => shapeOf(weight).length > 1)
      .map((member) => ({ ...member, groupOfChannel: member.groupOfChannel.map((group) => Math.min(group, 0)) })),
  };
}

function layoutAt(couplings: Couplings, weight: string, axis: number): Layout {
  const layout = couplings.weights.get(weight)?.[axis];
  if (!layout) throw new MismatchError(`The weight ${weight} has no axis ${axis}.`);
  return layout;
}

function contains(layout: Layout, id: number): boolean {
  return layout.some((factor) =>
    factor.kind === 'class' ? factor.id === id : factor.parts.some((part) => contains(part, id)),
  );
}

/** Whether nothing that counts stands outside the class in every part of the layout that has it. */
function isOutermost(layout: Layout, id: number, idle: ReadonlySet<number>): boolean {
  for (const factor of layout) {
    if (factor.kind === 'class') {
      if (factor.id === id) return true;
      if (!idle.has(factor.id)) return false;
    } else {
      const holders = factor.parts.filter((part) => contains(part, id));
      if (holders.length > 0) return holders.every((part) => isOutermost(part, id, idle));
      if (factor.parts.some((part) => part.some(({ size }) => size > 1))) return false;
    }
  }
  return false;
}

/** For every channel of an axis its coordinate in the class, or -1. */
function coordinates(layout: Layout, id: number): Int32Array {
  let result = Int32Array.of(-1);
  for (const factor of layout.toReversed()) {
    const own =
      factor.kind === 'sum'
        ? Int32Array.from(factor.parts.flatMap((part) => [...coordinates(part, id)]))
        : ownCoordinates(factor, id);
    const inner = result;
    result = new Int32Array(own.length * inner.length);
    own.forEach((coordinate, outer) => {
      inner.forEach((innerCoordinate, index) => {
        result[outer * inner.length + index] = coordinate >= 0 ? coordinate : innerCoordinate;
      });
    });
  }
  return result;
}

function ownCoordinates(factor: { readonly id: number; readonly size: number }, id: number): Int32Array {
  return Int32Array.from({ length: factor.size }, (_, index) => (factor.id === id ? index : -1));
}
