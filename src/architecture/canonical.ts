import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { MissingError } from '../errors.ts';

/** Where a tensor of the Hugging Face layout of LLaMA lies in a checkpoint that has other names or another arrangement. */
export interface Source {
  /** The tensor's name there. */
  readonly tensor: string;
  /** Its rows, in this order; default: all. Of a transposed one, columns. */
  readonly rows?: readonly { readonly start: number; readonly end: number }[];
  /** Stored as [inputs, outputs]. */
  readonly transposed?: boolean;
}

/** For one stored tensor the tensors that are made of it, by their names; undefined for one that keeps its own. */
export type Rename = (info: TensorInfo) => readonly (readonly [name: string, source: Source])[] | undefined;

/**
 * A view of a checkpoint under LLaMA's names, so that everything behind it knows one layout. Tensors that `rename` does not know keep their names; one that has the new
 * names already is returned as it is. Nothing is read until asked for.
 */
export function renamedCheckpoint(checkpoint: Checkpoint, rename: Rename): Checkpoint {
  const sources = new Map<string, Source>();
  const tensors = new Map<string, TensorInfo>();
  for (const info of checkpoint.tensors.values()) {
    const made = rename(info);
    if (!made) tensors.set(info.name, info);
    for (const [name, source] of made ?? []) {
      sources.set(name, source);
      tensors.set(name, described(name, info, source));
    }
  }
  if (sources.size === 0) return checkpoint;
  return {
    ...checkpoint,
    tensors,
    groupQuantised: () => undefined,
    async read(name, rows) {
      const source = sources.get(name);
      const info = tensors.get(name);
      if (!source) return checkpoint.read(name, rows);
      const stored = checkpoint.tensors.get(source.tensor);
      if (!stored || !info) throw new MissingError(`${checkpoint.provenance.name} has no tensor ${name}.`);
      const whole = source.transposed
        ? transposedColumns(await checkpoint.read(source.tensor), stored.shape, rangesOf(source, stored.shape[1] ?? 0))
        : await readRows(checkpoint, source, stored);
      const columns = whole.length / (info.shape[0] ?? 1);
      return rows ? whole.slice(rows.start * columns, rows.end * columns) : whole;
    },
  };
}

const rangesOf = ({ rows }: Source, size: number) => rows ?? [{ start: 0, end: size }];

function described(name: string, info: TensorInfo, source: Source): TensorInfo {
  const [outputs = 0, ...rest] = source.transposed ? info.shape.toReversed() : info.shape;
  const kept = rangesOf(source, outputs).reduce((sum, { start, end }) => sum + end - start, 0);
  return { ...info, name, shape: [kept, ...rest], byteLength: Math.round((info.byteLength * kept) / outputs) };
}

async function readRows(checkpoint: Checkpoint, source: Source, stored: TensorInfo): Promise<Float32Array> {
  if (!source.rows) return checkpoint.read(source.tensor);
  const parts = await Promise.all(source.rows.map((rows) => checkpoint.read(source.tensor, rows)));
  const columns = stored.shape.slice(1).reduce((product, size) => product * size, 1);
  const whole = new Float32Array(source.rows.reduce((sum, { start, end }) => sum + end - start, 0) * columns);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Columns of [inputs, outputs] as rows. */
function transposedColumns(
  data: Float32Array,
  [inputs = 0, outputs = 0]: readonly number[],
  ranges: readonly { readonly start: number; readonly end: number }[],
): Float32Array {
  const result = new Float32Array(ranges.reduce((sum, { start, end }) => sum + end - start, 0) * inputs);
  let row = 0;
  for (const { start, end } of ranges)
    for (let column = start; column < end; column++, row++)
      for (let input = 0; input < inputs; input++)
        result[row * inputs + input] = data[input * outputs + column] as number;
  return result;
}
