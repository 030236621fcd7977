import type { GraphBuilder } from '../onnx/builder.ts';
import { castTo, scalar } from './gradients.ts';
import { type ReductionValues, reductionOperator, stretch } from './reduction.ts';

/** dx = dy / n, n the number of elements that one mean is over. */
export const reduceMean = reductionOperator({
  type: 'ReduceMean',
  flops: 1,
  gradient: (builder, values) => stretch(builder, builder.add('Div', [values.dy, count(builder, values)]), values),
});

function count(builder: GraphBuilder, { context, axes, x, dataType }: ReductionValues): string {
  const sizes = axes.map((axis) => context.knownInputSizes[0]?.[axis]);
  if (sizes.every((size) => size !== undefined))
    return scalar(
      builder,
      sizes.reduce<number>((product, size) => product * (size ?? 1), 1),
      dataType,
    );
  const product = axes
    .map((axis) => builder.add('Shape', [x], { start: axis, end: axis + 1 }))
    .reduce((a, b) => builder.add('Mul', [a, b]));
  return castTo(builder, product, dataType);
}
