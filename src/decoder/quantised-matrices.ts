import type { WeightBinding } from '../architecture/architecture.ts';
import type { RowRange } from '../checkpoint/weights.ts';
import { dequantiseBlocks } from './dequantise.ts';
import { QUANTISATION_BLOCK } from './dtypes.ts';
import type { GroupBlocks } from './group-blocks.ts';
import type { QuantisedMatrix } from './quantise.ts';

/** A matrix as a file has it, with or without remainders. */
type StoredMatrix = QuantisedMatrix & Partial<Pick<GroupBlocks, 'remainders'>>;

/** Rows of one tensor within a matrix of several. */
interface Part {
  readonly matrix: StoredMatrix;
  readonly bits: 4 | 8;
  /** First row of the tensor that is held, and how many. */
  readonly first: number;
  readonly count: number;
  /** Where they begin in the matrix. */
  readonly row: number;
}

const LIMIT = 1 << 30;

/** Matrices as they were rounded for a file, kept up to a gibibyte, so that what verifies the file need not round them once more: to 4 bits that takes longer than all else. */
export class QuantisedMatrices {
  readonly #parts = new Map<string, Part[]>();
  #room: number;

  constructor(limit = LIMIT) {
    this.#room = limit;
  }

  /** Keeps the matrix of some weights stacked by their rows, where there is room for it. */
  add(sources: readonly WeightBinding[], bits: 4 | 8, matrix: StoredMatrix): void {
    const { values, scales, zeroPoints, remainders } = matrix;
    const bytes = values.byteLength + scales.byteLength + zeroPoints.byteLength + (remainders?.byteLength ?? 0);
    if (bytes > this.#room) return;
    this.#room -= bytes;
    let row = 0;
    for (const { tensor, rows, shape } of sources) {
      const count = shape[0] ?? 0;
      this.#parts.set(tensor, [
        ...(this.#parts.get(tensor) ?? []),
        { matrix, bits, first: rows?.start ?? 0, count, row },
      ]);
      row += count;
    }
  }

  /** What rows [start, end) of a tensor are rounded to, [end - start, columns]; undefined where not all of them are kept. */
  read(tensor: string, columns: number, range: RowRange): Float32Array | undefined {
    const values = new Float32Array((range.end - range.start) * columns);
    return this.fill(values, tensor, columns, range) === range.end - range.start ? values : undefined;
  }

  /** Writes what of these rows is kept in their places among `values`; returns how many rows that are. */
  fill(values: Float32Array, tensor: string, columns: number, { start, end }: RowRange): number {
    let known = 0;
    for (const { matrix, bits, first, count, row } of this.#parts.get(tensor) ?? []) {
      const [from, to] = [Math.max(start, first), Math.min(end, first + count)];
      if (from >= to) continue;
      const rows = { start: row + from - first, end: row + to - first };
      const found = dequantiseBlocks(matrix, columns, bits, QUANTISATION_BLOCK, rows);
      if (matrix.remainders) addRemainders(found, columns, matrix.remainders, rows);
      values.set(found, (from - start) * columns);
      known += to - from;
    }
    return known;
  }
}

/** Adds to rows [start, end) of a matrix, of which `values` are the weights, the remainder [blocks, rows] of each block. */
function addRemainders(values: Float32Array, columns: number, remainders: Float32Array, { start, end }: RowRange) {
  const blocks = Math.ceil(columns / QUANTISATION_BLOCK);
  const rows = remainders.length / blocks;
  for (let row = start; row < end; row++) {
    for (let block = 0; block < blocks; block++) {
      const remainder = remainders[block * rows + row] as number;
      const first = (row - start) * columns;
      const last = first + Math.min(columns, (block + 1) * QUANTISATION_BLOCK);
      for (let at = first + block * QUANTISATION_BLOCK; at < last; at++)
        values[at] = (values[at] as number) + remainder;
    }
  }
}
