import { elementCount } from '../arrays.ts';
import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { MismatchError } from '../errors.ts';

/** Names of an expert's matrices in published checkpoints, and of the matrix that those of all experts make. */
const EXPERT = /^(model\.layers\.\d+\.[a-z_]+\.experts)\.(\d+)\.(gate_proj|up_proj|down_proj|w1|w3|w2)\.weight$/;
const STACKED: Readonly<Record<string, 'gate' | 'up' | 'down'>> = {
  gate_proj: 'gate',
  w1: 'gate',
  up_proj: 'up',
  w3: 'up',
  down_proj: 'down',
  w2: 'down',
};

interface Stack {
  readonly part: 'gate' | 'up' | 'down';
  /** By expert. */
  readonly names: string[];
}

/**
 * A view of a checkpoint in which the experts of a layer are one wide MLP, neuron after neuron: `….experts.gate.weight` and `….experts.up.weight` [neurons, hiddenSize] and
 * `….experts.down.weight` [hiddenSize, neurons], in place of three matrices for every expert. The checkpoint itself where it has none.
 * Throws MismatchError where experts are missing or differ in shape.
 */
export function stackedExperts(checkpoint: Checkpoint): Checkpoint {
  const stacks = new Map<string, Stack>();
  const tensors = new Map<string, TensorInfo>();
  for (const [name, info] of checkpoint.tensors) {
    const [, place, expert, matrix = ''] = EXPERT.exec(name) ?? [];
    const part = STACKED[matrix];
    if (!part) {
      tensors.set(name, info);
      continue;
    }
    const stacked = `${place}.${part}.weight`;
    const stack = stacks.get(stacked) ?? { part, names: [] };
    stack.names[Number(expert)] = name;
    stacks.set(stacked, stack);
  }
  if (stacks.size === 0) return checkpoint;
  for (const [name, { part, names }] of stacks) {
    const infos = Array.from(names, (each) => checkpoint.tensors.get(each ?? ''));
    const [first] = infos;
    const [rows = 0, columns = 0] = first?.shape ?? [];
    const wrong = infos.findIndex((info) => info?.shape.join() !== first?.shape.join());
    if (wrong >= 0)
      throw new MismatchError(
        `${checkpoint.provenance.name}: expert ${wrong} of ${name.replace(/\.weight$/, '')} is missing or has another shape than expert 0. Take the model whole.`,
      );
    const count = names.length;
    tensors.set(name, {
      name,
      storage: first?.storage ?? 'F32',
      shape: part === 'down' ? [rows, count * columns] : [count * rows, columns],
      byteLength: infos.reduce((sum, info) => sum + (info?.byteLength ?? 0), 0),
    });
  }
  const { groupQuantised: _, ...base } = checkpoint;
  return {
    ...base,
    tensors,
    async read(name, rows) {
      const stack = stacks.get(name);
      if (!stack) return checkpoint.read(name, rows);
      return stack.part === 'down'
        ? readBeside(checkpoint, stack.names, rows)
        : readBelow(checkpoint, stack.names, rows);
    },
  };
}

type Rows = { readonly start: number; readonly end: number } | undefined;

/** Matrices [rows, columns] below each other. */
async function readBelow(checkpoint: Checkpoint, names: readonly string[], rows: Rows): Promise<Float32Array> {
  const [each = 0, columns = 0] = checkpoint.tensors.get(names[0] ?? '')?.shape ?? [];
  const { start, end } = rows ?? { start: 0, end: names.length * each };
  const result = new Float32Array((end - start) * columns);
  for (const [index, name] of names.entries()) {
    const first = Math.max(start, index * each);
    const last = Math.min(end, (index + 1) * each);
    if (first >= last) continue;
    const part = await checkpoint.read(name, { start: first - index * each, end: last - index * each });
    result.set(part, (first - start) * columns);
  }
  return result;
}

/** Matrices [rows, columns] beside each other. */
async function readBeside(checkpoint: Checkpoint, names: readonly string[], rows: Rows): Promise<Float32Array> {
  const shape = checkpoint.tensors.get(names[0] ?? '')?.shape ?? [];
  const columns = elementCount(shape.slice(1));
  const { start, end } = rows ?? { start: 0, end: shape[0] ?? 0 };
  const width = names.length * columns;
  const result = new Float32Array((end - start) * width);
  for (const [index, name] of names.entries()) {
    const part = await checkpoint.read(name, { start, end });
    for (let row = 0; row < end - start; row++)
      result.set(part.subarray(row * columns, (row + 1) * columns), row * width + index * columns);
  }
  return result;
}
