import { type Programs, singleOutput } from '../architecture/programs.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import type { Graph } from '../onnx/graph.ts';
import type { DeviceTensor } from '../runtime/runtime.ts';

/** Sums over the rows of X [rows, channels]: `sum` [channels] and, where asked for, `product` X^T X [channels, channels]. */
export interface ChannelStatistics {
  readonly rows: number;
  readonly sum: Float64Array;
  readonly product: Float64Array | undefined;
}

/** Accumulates X^T X and the sum of rows: `next` = X^T X + `product`, `sum` [channels]. */
function statisticsGraph(withProduct: boolean): Graph {
  const builder = new GraphBuilder('channel statistics');
  const rows = builder.input('rows', 'float32', ['rows', 'channels']);
  builder.output(
    builder.add('ReduceSum', [rows, builder.integers([0])], { keepdims: 0 }),
    'float32',
    ['channels'],
    'sum',
  );
  if (withProduct) {
    builder.output(builder.add('Gemm', [rows, rows], { transA: 1 }), 'float32', ['channels', 'channels'], 'product');
  }
  return builder.build();
}

/** Collects statistics of the activations that `activations()` yields one by one; each is freed after use. Sums are kept in float64. */
export async function channelStatistics(
  programs: Programs,
  activations: AsyncIterable<DeviceTensor>,
  withProduct: boolean,
): Promise<ChannelStatistics> {
  const session = await programs.session(withProduct ? 'channel products' : 'channel sums', () =>
    statisticsGraph(withProduct),
  );
  let rows = 0;
  let sum: Float64Array | undefined;
  let product: Float64Array | undefined;
  for await (const activation of activations) {
    using input = activation;
    const outputs = await session.run({ rows: input });
    using partialSum = singleOutput(outputs, 'sum');
    sum = add(sum, (await programs.runtime.read(partialSum)).data as Float32Array);
    if (withProduct) {
      using partialProduct = singleOutput(outputs, 'product');
      product = add(product, (await programs.runtime.read(partialProduct)).data as Float32Array);
    }
    rows += input.shape[0] ?? 0;
  }
  return { rows, sum: sum ?? new Float64Array(0), product };
}

function add(total: Float64Array | undefined, part: Float32Array): Float64Array {
  if (!total) return Float64Array.from(part);
  for (let index = 0; index < part.length; index++) total[index] = (total[index] as number) + (part[index] as number);
  return total;
}
