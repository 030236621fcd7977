import { floatToHalf } from '../../checkpoint/half.ts';
import { quantiseBlocks } from '../../decoder/quantise.ts';
import { throwIfCancelled } from '../../errors.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { LongRunning } from '../../progress.ts';
import type { Runtime } from '../../runtime/runtime.ts';

export type ProductFormat = 'f32' | 'f16' | 'q4';

/** How fast a device multiplies: rows [rows, size] by a matrix [size, size] in a number format. */
export interface ProductSpeed {
  readonly format: ProductFormat;
  readonly rows: number;
  readonly size: number;
  /** Of the fastest run; a multiplication and an addition are two operations. */
  readonly gigaflops: number;
}

/** Products in one graph, each with a matrix of its own, so that matrices come from memory as a model's do. */
const COPIES = 8;
const BLOCK = 32;
/** Runs of each graph at least. */
const FEWEST_RUNS = 3;

/** What is multiplied, and how long. */
export interface ProductRequest {
  /** Rows and columns of each matrix; a multiple of 32. */
  readonly size: number;
  readonly rows: readonly number[];
  /** After this time no more runs of a graph are made. */
  readonly milliseconds: number;
}

/**
 * The speed of matrix products in every format, for one row (a token) and for many (a prompt), each the fastest of some runs whose output is read. Float16 is left out on a host, and
 * on adapters that do not compute in it. Throws CancelledError between runs.
 */
export async function productSpeeds(
  runtime: Runtime,
  { size, rows: rowCounts, milliseconds }: ProductRequest,
  { signal, onProgress }: LongRunning = {},
): Promise<ProductSpeed[]> {
  const formats: readonly ProductFormat[] = runtime.adapter?.halfPrecision ? ['f32', 'f16', 'q4'] : ['f32', 'q4'];
  const total = formats.length * rowCounts.length;
  const speeds: ProductSpeed[] = [];
  for (const format of formats) {
    using session = await runtime.createSession(productsGraph(format, size), { label: `products ${format}` });
    for (const rows of rowCounts) {
      onProgress?.({ stage: 'matrix products', completed: speeds.length, total, unit: 'steps' });
      const run = async () => {
        throwIfCancelled(signal);
        using input =
          format === 'f16'
            ? runtime.upload({ dataType: 'float16', shape: [rows, size], data: floatToHalf(values(rows * size)) })
            : runtime.upload({ dataType: 'float32', shape: [rows, size], data: values(rows * size) });
        const start = performance.now();
        const { output } = await session.run({ input });
        if (!output) throw new RangeError('The products gave no output.');
        using result = output;
        await runtime.read(result);
        return performance.now() - start;
      };
      // The first run compiles shaders and allocates.
      await run();
      let fastest = Number.POSITIVE_INFINITY;
      const begun = performance.now();
      for (let runs = 0; runs < FEWEST_RUNS || performance.now() - begun < milliseconds; runs += 1)
        fastest = Math.min(fastest, await run());
      const operations = 2 * COPIES * rows * size * size;
      speeds.push({ format, rows, size, gigaflops: operations / (1e6 * Math.max(fastest, 0.01)) });
    }
  }
  onProgress?.({ stage: 'matrix products', completed: total, total, unit: 'steps' });
  return speeds;
}

/** `input` [rows, size] -> `output` [rows, size], through `COPIES` matrices. */
function productsGraph(format: ProductFormat, size: number): Graph {
  const builder = new GraphBuilder('products');
  const type = format === 'f16' ? 'float16' : 'float32';
  let value = builder.input('input', type, ['rows', size]);
  for (let copy = 0; copy < COPIES; copy += 1) {
    const weights = values(size * size).map((weight) => weight / Math.sqrt(size));
    const add = (
      name: string,
      dataType: 'float32' | 'float16' | 'uint8',
      shape: readonly number[],
      { buffer, byteOffset, byteLength }: Float32Array | Uint16Array | Uint8Array,
    ) =>
      builder.initializer(`${name}${copy}`, {
        ...{ dataType, shape },
        contents: { kind: 'bytes', bytes: new Uint8Array(buffer, byteOffset, byteLength) },
      });
    if (format === 'q4') {
      const { values: codes, scales, zeroPoints } = quantiseBlocks(weights, size, 4, BLOCK);
      const blocks = Math.ceil(size / BLOCK);
      const parts = [
        add('values', 'uint8', [size, blocks, BLOCK / 2], codes),
        add('scales', 'float32', [size, blocks], scales),
        add('zeros', 'uint8', [size, Math.ceil(blocks / 2)], zeroPoints),
      ];
      const how = { K: size, N: size, bits: 4, block_size: BLOCK, accuracy_level: 4 };
      value = builder.add('MatMulNBits', [value, ...parts], how, { domain: 'com.microsoft' });
    } else {
      const matrix =
        format === 'f32'
          ? add('matrix', 'float32', [size, size], weights)
          : add('matrix', 'float16', [size, size], floatToHalf(weights));
      value = builder.add('MatMul', [value, matrix]);
    }
  }
  builder.output(value, type, ['rows', size], 'output');
  return builder.build();
}

/** Numbers of no importance, none of them subnormal. */
function values(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, index) => Math.sin(index + 1));
}
