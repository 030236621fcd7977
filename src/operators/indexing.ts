import { MismatchError } from '../errors.ts';
import { intAttribute, nameOf } from './attributes.ts';
import { axesOf, axisAt } from './couplings.ts';
import { operand, scalar, singleOutput, zerosLike } from './gradients.ts';
import type { Operator } from './operator.ts';
import { CONSTANT_LIMIT, frontAxis, inputType, knownElements, range, sizeAt, typed } from './shapes.ts';

/** Slices of one axis picked by integer indices (embedding lookup). The gradient adds rows where indices repeat. */
const gather: Operator = {
  type: 'Gather',
  domain: '',
  infer(node, inputs) {
    const data = inputType(node, inputs, 0);
    const indices = inputType(node, inputs, 1);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), data.shape.length);
    const known =
      data.shape.length === 1
        ? data.constant && indices.constant?.map((index) => data.constant?.at(index) ?? 0)
        : undefined;
    return [
      typed(data.dataType, [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)], known),
    ];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const data = operand(context, 0);
    const indices = operand(context, 1);
    const rank = data.type.shape.length;
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', 0), rank);
    const picked = indices.type.shape.length;
    // The picked axis is moved to the front, where ScatterND adds.
    const front = [axis, ...range(rank).filter((other) => other !== axis)];
    const frontOut = [
      ...range(picked).map((index) => axis + index),
      ...range(yType.shape.length).filter((other) => other < axis || other >= axis + picked),
    ];
    const shape = builder.add('Shape', [data.name]);
    const target = axis === 0 ? shape : builder.add('Gather', [shape, builder.integers(front)]);
    const zeros = builder.add('Expand', [scalar(builder, 0, yType.dataType), target]);
    const rows = axis === 0 ? dy : builder.add('Transpose', [dy], { perm: frontOut });
    const places = builder.add('Unsqueeze', [indices.name, builder.integers([picked])]);
    const sum = builder.add('ScatterND', [zeros, places, rows], { reduction: 'add' });
    const back = range(rank).map((position) => front.indexOf(position));
    return [axis === 0 ? sum : builder.add('Transpose', [sum], { perm: back }), undefined];
  },
  coupling(context) {
    const { node, trace } = context;
    const data = axesOf(context, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', 0), data.length);
    const { constant: picks, shape } = inputType(node, context.inputTypes, 1);
    const size = sizeAt(inputType(node, context.inputTypes, 0).shape, axis);
    if (picks && shape.length <= 1 && size <= CONSTANT_LIMIT) {
      const single = trace.cut(
        axisAt(data, axis),
        range(size).map(() => 1),
      );
      const picked = picks.map((pick) => axisAt(single, pick));
      return [
        [...data.slice(0, axis), ...(shape.length === 0 ? [] : [trace.concatenate(picked)]), ...data.slice(axis + 1)],
      ];
    }
    trace.pin(axisAt(data, axis), `${nameOf(node)} looks entries of it up`);
    return [[...data.slice(0, axis), ...axesOf(context, 1), ...data.slice(axis + 1)]];
  },
};

/** One element per index along one axis, such as the log-probability of each target token. */
const gatherElements: Operator = {
  type: 'GatherElements',
  domain: '',
  infer(node, inputs) {
    const data = inputType(node, inputs, 0);
    frontAxis(node, intAttribute(node, 'axis', 0), data.shape.length);
    return [typed(data.dataType, inputType(node, inputs, 1).shape)];
  },
  gradient(context) {
    const { builder, dy, yType } = singleOutput(context);
    const axis = frontAxis(context.node, intAttribute(context.node, 'axis', 0), yType.shape.length);
    const zeros = zerosLike(builder, operand(context, 0).name, yType.dataType);
    return [
      builder.add('ScatterElements', [zeros, operand(context, 1).name, dy], { axis, reduction: 'add' }),
      undefined,
    ];
  },
  coupling(context) {
    const { node, trace } = context;
    const indices = axesOf(context, 1);
    for (const atoms of axesOf(context, 0)) trace.pin(atoms, `${nameOf(node)} looks entries of it up`);
    return [indices];
  },
};

/** Writes or adds slices at index tuples; it appears in gradients of Gather. */
const scatterND: Operator = {
  type: 'ScatterND',
  domain: '',
  infer(node, inputs) {
    const data = inputType(node, inputs, 0);
    return [typed(data.dataType, data.shape)];
  },
};

/** Writes or adds elements at indices along one axis; it appears in gradients of GatherElements. */
const scatterElements: Operator = { ...scatterND, type: 'ScatterElements' };

/** The largest elements along one axis, largest first, and where they stand. Of use where what follows takes them as constant, so it has no gradient. */
const topK: Operator = {
  type: 'TopK',
  domain: '',
  infer(node, inputs) {
    const x = inputType(node, inputs, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', -1), x.shape.length);
    const [count = 0] = knownElements(node, inputs, 1, 'k');
    if (count < 1 || count > sizeAt(x.shape, axis))
      throw new MismatchError(
        `${nameOf(node)}: the ${count} largest of ${sizeAt(x.shape, axis)} elements were asked for; ask for 1 to ${sizeAt(x.shape, axis)}.`,
      );
    const shape = x.shape.with(axis, count);
    return [typed(x.dataType, shape), typed('int64', shape)];
  },
  coupling(context) {
    const { node, trace } = context;
    const axes = axesOf(context, 0);
    const axis = frontAxis(node, intAttribute(node, 'axis', -1), axes.length);
    trace.pin(axisAt(axes, axis), `${nameOf(node)} chooses from it as a whole`);
    return context.outputTypes.map(({ shape }) => axes.with(axis, [trace.fresh(sizeAt(shape, axis))]));
  },
};

/** Operators that read and write at indices. */
export const INDEXING: readonly Operator[] = [topK, gather, gatherElements, scatterND, scatterElements];
