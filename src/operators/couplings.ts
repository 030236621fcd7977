import { MismatchError } from '../errors.ts';
import { nameOf } from './attributes.ts';
import type { AxisAtoms, CouplingContext } from './operator.ts';
import { inputType, range } from './shapes.ts';

/** Axes of input `index`, which inference has found present. */
export function axesOf(context: CouplingContext, index: number): readonly AxisAtoms[] {
  const axes = context.inputAxes[index];
  if (!axes) throw new MismatchError(`${nameOf(context.node)} lacks its input ${index}.`);
  return axes;
}

/** The atoms of one axis that is known to exist. */
export function axisAt(axes: readonly AxisAtoms[], axis: number): AxisAtoms {
  const atoms = axes.at(axis);
  if (!atoms) throw new MismatchError(`Axis ${axis} is outside a value of ${axes.length} axes.`);
  return atoms;
}

/** The output has the axes of input 0. */
export function passThrough(context: CouplingContext): (readonly AxisAtoms[])[] {
  return [axesOf(context, 0)];
}

/** Aligned axes of the inputs are the same coordinates; a broadcast axis (size 1 or absent) takes no part. */
export function elementwise(context: CouplingContext): (readonly AxisAtoms[])[] {
  return [
    broadcastAxes(
      context,
      range(context.node.inputs.length).map((index) => ({
        axes: axesOf(context, index),
        shape: inputType(context.node, context.inputTypes, index).shape,
      })),
    ),
  ];
}

export interface ShapedAxes {
  readonly axes: readonly AxisAtoms[];
  readonly shape: readonly number[];
}

/** Unifies aligned axes of several operands, and returns those of the result. */
export function broadcastAxes({ trace }: CouplingContext, operands: readonly ShapedAxes[]): AxisAtoms[] {
  const rank = Math.max(...operands.map(({ shape }) => shape.length));
  return range(rank).map((axis) => {
    const aligned = operands.flatMap(({ axes, shape }) => {
      const own = axis - rank + shape.length;
      return own < 0 ? [] : [{ atoms: axisAt(axes, own), size: shape[own] ?? 1 }];
    });
    const size = Math.max(...aligned.map((operand) => operand.size));
    return aligned
      .filter((operand) => operand.size === size)
      .map(({ atoms }) => atoms)
      .reduce((a, b) => trace.unify(a, b));
  });
}
