import { architectureFor } from '../../architecture/index.ts';
import { allBindings } from '../../architecture/model.ts';
import type { Checkpoint, TensorInfo } from '../../checkpoint/checkpoint.ts';
import { seededRandom } from '../../random.ts';

/** A checkpoint of any supported architecture with random weights, its tensors found from what the architecture binds. Biases that compensation may add are there too. */
export function randomModel(config: Readonly<Record<string, unknown>>, seed = 1): Checkpoint {
  const random = seededRandom(seed);
  const tensors = new Map<string, TensorInfo>();
  const checkpoint: Checkpoint = {
    provenance: { name: `random ${config.model_type}`, format: 'safetensors' },
    config,
    tensors,
    byteLength: 0,
    async read(name, rows) {
      const values = data.get(name);
      if (!values) throw new Error(`no tensor ${name}`);
      const columns = values.length / (tensors.get(name)?.shape[0] ?? 1);
      return rows ? values.slice(rows.start * columns, rows.end * columns) : values.slice();
    },
    file: async () => undefined,
    sha256: async () => '0'.repeat(64),
  };
  const data = new Map<string, Float32Array>();
  for (const { tensor, shape, rows, offset } of allBindings(architectureFor(checkpoint))) {
    if (tensors.has(tensor)) continue;
    const stored = rows ? [rows.of, ...shape.slice(1)] : shape;
    const size = stored.reduce((product, extent) => product * extent, 1);
    const isNorm = tensor.includes('norm');
    const spread = stored.length > 1 ? 2 / Math.sqrt(stored[1] ?? 1) : 0.5;
    const centre = isNorm ? 1 - (offset ?? 0) : 0;
    data.set(
      tensor,
      Float32Array.from({ length: size }, () => centre + spread * (2 * random() - 1)),
    );
    tensors.set(tensor, { name: tensor, storage: 'F32', shape: stored, byteLength: 4 * size });
  }
  return checkpoint;
}
