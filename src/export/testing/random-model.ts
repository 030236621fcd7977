import { architectureFor } from '../../architecture/index.ts';
import { allBindings } from '../../architecture/model.ts';
import { elementCount } from '../../arrays.ts';
import type { Checkpoint, TensorInfo } from '../../checkpoint/checkpoint.ts';
import { seededRandom } from '../../random.ts';
import { memoryCheckpoint } from './memory-checkpoint.ts';

/** A checkpoint of any supported architecture with random weights, its tensors found from what the architecture binds. Biases that compensation may add are there too. */
export function randomModel(config: Readonly<Record<string, unknown>>, seed = 1): Checkpoint {
  const random = seededRandom(seed);
  const tensors = new Map<string, TensorInfo>();
  const data = new Map<string, Float32Array>();
  const checkpoint = memoryCheckpoint(
    { name: `random ${config.model_type}`, format: 'safetensors' },
    config,
    tensors,
    data,
  );
  for (const { tensor, shape, rows, offset, assignment } of allBindings(architectureFor(checkpoint))) {
    if (tensors.has(tensor) || assignment) continue;
    const stored = rows ? [rows.of, ...shape.slice(1)] : shape;
    const size = elementCount(stored);
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
