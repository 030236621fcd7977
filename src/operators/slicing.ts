import { MismatchError, UnsupportedError } from '../errors.ts';
import type { Node } from '../onnx/graph.ts';
import { intAttribute, nameOf, stringAttribute } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, scalar, singleOutput, sizeOfAxis, zerosLike } from './gradients.ts';
import type { GradientContext, Operator } from './operator.ts';
import { frontAxis, type InputTypes, inputType, knownElements, range, show, sizeAt, typed } from './shapes.ts';

/** Tensors joined along one axis. */
const concat: Operator = {
  type: 'Concat',
  domain: '',
  infer(node, inputs) {
    const parts = node.inputs.map((_, index) => inputType(node, inputs, index));
    const first = inputType(node, inputs, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), first.shape.length);
    for (const part of parts) {
      const fits =
        part.dataType === first.dataType &&
        part.shape.length === first.shape.length &&
        part.shape.every((size, index) => index === axis || size === first.shape[index]);
      if (!fits)
        throw new MismatchError(
          `${nameOf(node)}: ${first.dataType} ${show(first.shape)} and ${part.dataType} ${show(part.shape)} may differ only on axis ${axis}.`,
        );
    }
    const shape = first.shape.with(
      axis,
      parts.reduce((sum, part) => sum + sizeAt(part.shape, axis), 0),
    );
    const known =
      shape.length === 1 && parts.every((part) => part.constant)
        ? parts.flatMap((part) => part.constant ?? [])
        : undefined;
    return [typed(first.dataType, shape, known)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const { node } = context;
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), yType.shape.length);
    if (node.inputs.length === 1) return [dy];
    const known = node.inputs.map((_, index) => context.knownInputSizes[index]?.[axis]);
    const sizes = known.every((size) => size !== undefined)
      ? builder.integers(known as number[])
      : builder.add(
          'Concat',
          range(node.inputs.length).map((index) => sizeOfAxis(context, index, axis)),
          { axis: 0 },
        );
    return builder
      .addMany('Split', [dy, sizes], node.inputs.length, { axis })
      .map((part, index) => (context.wanted[index] ? part : undefined));
  },
  coupling(context) {
    const { node, trace } = context;
    const parts = node.inputs.map((_, index) => axesOf(context, index));
    const first = axesOf(context, 0);
    const joined = frontAxis(node, intAttribute(node, 'axis', 0), first.length);
    return [
      first.map((_, axis) => {
        const aligned = parts.map((part) => axisAt(part, axis));
        return axis === joined ? trace.concatenate(aligned) : aligned.reduce((a, b) => trace.unify(a, b));
      }),
    ];
  },
};

/** A tensor cut along one axis, into the sizes of input 1 or into equal parts (the last may be smaller). */
const split: Operator = {
  type: 'Split',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), x.shape.length);
    return splitSizes(node, inputs).map((size) => typed(x.dataType, x.shape.with(axis, size)));
  },
  gradient(context) {
    const { builder, node, outputGradients, outputTypes } = context;
    const x = operand(context, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), x.type.shape.length);
    const parts = outputGradients.map(
      (part, index) =>
        part ?? zerosLike(builder, node.outputs[index] ?? '', outputTypes[index]?.dataType ?? x.type.dataType),
    );
    return [parts.length === 1 ? parts[0] : builder.add('Concat', parts, { axis }), undefined];
  },
  coupling(context) {
    const axes = axesOf(context, 0);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', 0), axes.length);
    return context.trace
      .cut(axisAt(axes, axis), splitSizes(context.node, context.inputTypes))
      .map((part) => axes.with(axis, part));
  },
};

/** Size of each part along the split axis. */
function splitSizes(node: Node, inputs: InputTypes): readonly number[] {
  const x = inputType(node, inputs, 0);
  const size = sizeAt(x.shape, frontAxis(node, intAttribute(node, 'axis', 0), x.shape.length));
  const count = node.outputs.length;
  const chunk = Math.ceil(size / count);
  const sizes = inputs[1]
    ? knownElements(node, inputs, 1, 'split sizes')
    : node.outputs.map((_, index) => Math.min(chunk, size - index * chunk));
  if (sizes.length !== count || sizes.some((part) => part < 0) || sizes.reduce((sum, part) => sum + part, 0) !== size)
    throw new MismatchError(
      `${nameOf(node)}: parts ${show(sizes)} for ${count} outputs do not make up the axis of size ${size}.`,
    );
  return sizes;
}

/** The part of one axis that a Slice takes, in run-independent form too: `start` may count from the end. */
interface SlicedAxis {
  readonly axis: number;
  /** First index, step and number of indices at the concrete sizes. */
  readonly first: number;
  readonly step: number;
  readonly count: number;
  /** As given: negative counts from the end. */
  readonly start: number;
  readonly end: number;
}

/** Part of a tensor by starts, ends, axes and steps. Differentiable for steps of 1. */
const slice: Operator = {
  type: 'Slice',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const cuts = slicedAxes(node, inputs);
    const shape = x.shape.map((size, axis) => cuts.find((cut) => cut.axis === axis)?.count ?? size);
    const [cut] = cuts;
    const known =
      x.shape.length === 1 && cut
        ? range(cut.count).map((index) => x.constant?.[cut.first + index * cut.step] ?? 0)
        : undefined;
    return [typed(x.dataType, shape, x.constant ? known : undefined)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const rank = yType.shape.length;
    const cuts = slicedAxes(context.node, context.inputTypes);
    const before = range(rank).map((axis) => padding(context, cuts, axis, 'before'));
    const after = range(rank).map((axis) => padding(context, cuts, axis, 'after'));
    const pads = builder.add('Concat', [...before, ...after], { axis: 0 });
    return [builder.add('Pad', [dy, pads, scalar(builder, 0, yType.dataType)]), undefined];
  },
  coupling(context) {
    const { node, trace } = context;
    const axes = [...axesOf(context, 0)];
    for (const { axis, first, step, count } of slicedAxes(node, context.inputTypes)) {
      const size = sizeAt(inputType(node, context.inputTypes, 0).shape, axis);
      if (step === 1) axes[axis] = trace.cut(axisAt(axes, axis), [first, count, size - first - count])[1] ?? [];
      else {
        trace.pin(axisAt(axes, axis), `${nameOf(node)} takes it in steps of ${step}`);
        axes[axis] = [trace.fresh(count)];
      }
    }
    return [axes];
  },
};

/** Ends from here on are beyond every axis. */
const TO_THE_END = 2 ** 31 - 1;

/** What each sliced axis loses before and after the slice, as a one-element int64 value; valid at any size. */
function padding(
  context: GradientContext,
  cuts: readonly SlicedAxis[],
  axis: number,
  side: 'before' | 'after',
): string {
  const { builder, node } = context;
  const cut = cuts.find((candidate) => candidate.axis === axis);
  if (!cut) return builder.integers([0]);
  if (cut.step !== 1)
    throw new UnsupportedError(
      `${nameOf(node)}: the gradient of a slice with step ${cut.step} is not supported; steps of 1 are. Use Gather.`,
    );
  const size = sizeAt(operand(context, 0).type.shape, axis);
  const known = context.knownInputSizes[0]?.[axis];
  const fixedBefore = cut.start >= 0 || known !== undefined ? cut.first : undefined;
  // An end that is merely not less than the size here may be less at others: it may have been computed from another size.
  const fixedAfter =
    cut.end < 0 || cut.end >= TO_THE_END || known !== undefined ? size - cut.first - cut.count : undefined;
  const fixed = side === 'before' ? fixedBefore : fixedAfter;
  if (fixed !== undefined) return builder.integers([fixed]);
  const other = side === 'before' ? fixedAfter : fixedBefore;
  if (other === undefined)
    throw new UnsupportedError(
      `${nameOf(node)}: start ${cut.start} counts from the end and end ${cut.end} from the front of an axis of unknown size; count both the same way.`,
    );
  const sizeOf = (value: string) => builder.add('Shape', [value], { start: axis, end: axis + 1 });
  const lost = builder.add('Sub', [sizeOf(operand(context, 0).name), sizeOf(node.outputs[0] ?? '')]);
  return builder.add('Sub', [lost, builder.integers([other])]);
}

/** The cuts of a Slice node, by ONNX's clamping rules. */
function slicedAxes(node: Node, inputs: InputTypes): readonly SlicedAxis[] {
  const { shape } = inputType(node, inputs, 0);
  const starts = knownElements(node, inputs, 1, 'starts');
  const ends = knownElements(node, inputs, 2, 'ends');
  const axes = inputs[3] ? knownElements(node, inputs, 3, 'axes') : range(starts.length);
  const steps = inputs[4] ? knownElements(node, inputs, 4, 'steps') : starts.map(() => 1);
  return axes.map((given, index) => {
    const axis = frontAxis(node, given, shape.length);
    const size = sizeAt(shape, axis);
    const step = steps[index] ?? 1;
    const start = starts[index] ?? 0;
    const end = ends[index] ?? size;
    const clamp = (value: number, low: number, high: number) =>
      Math.min(Math.max(value < 0 ? value + size : value, low), high);
    const first = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
    const last = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
    return { axis, first, step, count: Math.max(0, Math.ceil((last - first) / step)), start, end };
  });
}

/** Constant padding; it appears in gradients of Slice. */
const pad: Operator = {
  type: 'Pad',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    if (stringAttribute(node, 'mode', 'constant') !== 'constant')
      throw new UnsupportedError(`${nameOf(node)}: mode must be "constant".`);
    const pads = knownElements(node, inputs, 1, 'pads');
    const axes = inputs[3]
      ? knownElements(node, inputs, 3, 'axes').map((axis) => frontAxis(node, axis, x.shape.length))
      : range(x.shape.length);
    return [
      typed(
        x.dataType,
        x.shape.map((size, axis) => {
          const index = axes.indexOf(axis);
          return index < 0 ? size : size + (pads[index] ?? 0) + (pads[index + axes.length] ?? 0);
        }),
      ),
    ];
  },
};

/** Operators that join and cut along axes. */
export const SLICING: readonly Operator[] = [concat, split, slice, pad];
