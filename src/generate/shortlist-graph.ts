import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';

const TYPES = { float32: 1, float64: 11 } as const;
/** Elements that are summed at once in single precision; sums of sums lose less than one long sum. */
const SUMMED = 128;
const NOTHING = -1e30;

/** What a shortlist graph computes: how many entries, and whether with the tempered total, in sums of which precision. */
export interface ShortlistGraphOptions {
  readonly vocabulary: number;
  readonly count: number;
  readonly tempered: boolean;
  readonly precision: keyof typeof TYPES;
}

/**
 * Reduces logits [1, 1, vocabulary] of one position to what choosing a token needs: `values` float32 [count] and `ids` int64 [count], the greatest
 * first and equal ones by id, and `total` [1], the sum of exp(logit - greatest). With `tempered` also `tempered_total`, the same of
 * exp((logit - greatest) / temperature), from the input `temperature` [1]. Totals are of the given precision.
 */
export function shortlistGraph({ vocabulary, count, tempered, precision }: ShortlistGraphOptions): Graph {
  const builder = new GraphBuilder('shortlist');
  const logits = builder.input('logits', 'float32', ['batch_size', 'kept_sequence_length', vocabulary]);
  const temperature = tempered ? builder.input('temperature', precision, [1]) : undefined;
  const flat = builder.add('Reshape', [logits, builder.integers([vocabulary])]);
  const [values = '', ids = ''] = builder.addMany('TopK', [flat, builder.integers([count])], 2, {
    axis: 0,
    largest: 1,
    sorted: 1,
  });
  const greatest = builder.add('Slice', [values, builder.integers([0]), builder.integers([1])]);
  const exact = (value: string) =>
    precision === 'float32' ? value : builder.add('Cast', [value], { to: TYPES[precision] });
  const centred = builder.add('Sub', [exact(flat), exact(greatest)]);
  const sumOfExp = (exponents: string) =>
    precision === 'float64'
      ? builder.add('ReduceSum', [builder.add('Exp', [exponents])], { keepdims: 1 })
      : sumInParts(builder, exponents, vocabulary);
  builder.output(values, 'float32', [count], 'values');
  builder.output(ids, 'int64', [count], 'ids');
  builder.output(sumOfExp(centred), precision, [1], 'total');
  if (temperature)
    builder.output(sumOfExp(builder.add('Div', [centred, temperature])), precision, [1], 'tempered_total');
  return builder.build();
}

function sumInParts(builder: GraphBuilder, exponents: string, vocabulary: number): string {
  const missing = (SUMMED - (vocabulary % SUMMED)) % SUMMED;
  const padded =
    missing === 0
      ? exponents
      : builder.add('Pad', [exponents, builder.integers([0, missing]), builder.constant([NOTHING])]);
  const parts = builder.add('Reshape', [builder.add('Exp', [padded]), builder.integers([-1, SUMMED])]);
  const sums = builder.add('ReduceSum', [parts, builder.integers([1])], { keepdims: 0 });
  return builder.add('ReduceSum', [sums], { keepdims: 1 });
}
