import type { Checkpoint, TensorInfo } from './checkpoint.ts';

/** A tensor that replaces or extends those of a checkpoint. */
export interface Replacement {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A view of a checkpoint in which some tensors are replaced and new ones added, e.g. by compensation or fine-tuning. */
export function overlayCheckpoint(base: Checkpoint, replacements: ReadonlyMap<string, Replacement>): Checkpoint {
  const tensors = new Map<string, TensorInfo>(base.tensors);
  for (const [name, { shape, data }] of replacements)
    tensors.set(name, { name, storage: 'F32', shape, byteLength: data.byteLength });
  return {
    provenance: base.provenance,
    config: base.config,
    tensors,
    byteLength: [...tensors.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    file: (name) => base.file(name),
    sha256: () => base.sha256(),
    async read(name, rows) {
      const replacement = replacements.get(name);
      if (!replacement) return base.read(name, rows);
      const columns = replacement.data.length / (replacement.shape[0] ?? 1);
      return rows ? replacement.data.slice(rows.start * columns, rows.end * columns) : replacement.data.slice();
    },
  };
}
