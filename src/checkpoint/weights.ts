import { elementCount } from '../arrays.ts';
import { FileFormatError, MissingError, UsageError } from '../errors.ts';
import type { ByteSource, TensorInfo } from './checkpoint.ts';

/** Rows [start, end) of a tensor's first axis. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

/** The tensors of one or more weight files of one format. What `assembleCheckpoint` makes a Checkpoint of. */
export interface Weights {
  readonly format: 'safetensors' | 'gguf' | 'onnx';
  /** The weight files, in a fixed order. */
  readonly sources: readonly ByteSource[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** As Checkpoint.read. */
  read(name: string, rows?: RowRange): Promise<Float32Array>;
}

/** Element count of a shape. Throws FileFormatError for a size that is not a natural number or a product beyond 2^53. */
export function checkedElementCount(shape: readonly unknown[], file: string, tensor: string): number {
  let count = 1;
  for (const size of shape) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw new FileFormatError(
        `${file}: tensor ${quote(tensor)} has the shape [${shape.map(String).join(', ').slice(0, 100)}]; sizes are natural numbers.`,
      );
    }
    count *= size;
  }
  if (!Number.isSafeInteger(count))
    throw new FileFormatError(`${file}: tensor ${quote(tensor)} claims more than 2^53 elements.`);
  return count;
}

/** The first element and the number of elements of `rows`, or of the whole tensor. Throws UsageError for rows that the tensor does not have. */
export function elementRange(
  info: TensorInfo,
  rows: RowRange | undefined,
): { readonly first: number; readonly count: number } {
  const [rowCount, ...rest] = info.shape;
  const rowSize = elementCount(rest);
  if (rows === undefined) return { first: 0, count: (rowCount ?? 1) * rowSize };
  const { start, end } = rows;
  if (
    rowCount === undefined ||
    !Number.isSafeInteger(start) ||
    !Number.isSafeInteger(end) ||
    start < 0 ||
    start > end ||
    end > rowCount
  ) {
    throw new UsageError(
      `Rows ${start} to ${end} of ${quote(info.name)} were asked for, but its shape is [${info.shape.join(', ')}].`,
    );
  }
  return { first: start * rowSize, count: (end - start) * rowSize };
}

/** Throws MissingError naming the tensor, the model and some of the names that it has. */
export function missingTensor(name: string, model: string, tensors: ReadonlyMap<string, unknown>): never {
  const some = [...tensors.keys()].slice(0, 3).map(quote).join(', ');
  throw new MissingError(
    `${model} has no tensor ${quote(name)}; it has ${tensors.size} tensors${some ? `, such as ${some}` : ''}. Check that all weight files are there and that config.json belongs to them.`,
  );
}

/** A name from a file, quoted and cut to a length that fits in a sentence. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 120 ? `${name.slice(0, 120)}…` : name);
}
