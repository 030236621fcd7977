import { isRemovedLayer } from '../architecture/block-weights.ts';
import { architectureFor } from '../architecture/index.ts';
import { layerTypes } from '../architecture/layer-types.ts';
import type { Checkpoint, TensorInfo } from '../checkpoint/checkpoint.ts';
import { MissingError } from '../errors.ts';

/**
 * A view of a pruned checkpoint without its removed layers: the others are numbered anew, from 0 on, and config.json has as many. What a layer's place decided (which of them look through a
 * window) is written down. The checkpoint itself where no layer was removed.
 */
export function compactedCheckpoint(checkpoint: Checkpoint): Checkpoint {
  const architecture = architectureFor(checkpoint);
  const { layerWidths } = architecture.config;
  const layers = layerWidths.flatMap((widths, layer) => (isRemovedLayer(widths) ? [] : [layer]));
  if (layers.length === layerWidths.length) return checkpoint;
  const place = new Map(layers.map((layer, index) => [layer, index]));
  const tensors = new Map<string, TensorInfo>();
  const sources = new Map<string, string>();
  for (const [source, info] of checkpoint.tensors) {
    const match = /^model\.layers\.(\d+)\.(.+)$/.exec(source);
    const layer = match ? place.get(Number(match[1])) : undefined;
    if (match && layer === undefined) continue;
    const name = match ? `model.layers.${layer}.${match[2]}` : source;
    tensors.set(name, { ...info, name });
    sources.set(name, source);
  }
  const types = layerTypes(architecture);
  const kept = layers.map((layer) => types[layer]);
  const listed = new Set(kept).size > 1 || checkpoint.config.layer_types !== undefined;
  const { groupQuantised } = checkpoint;
  return {
    provenance: checkpoint.provenance,
    config: {
      ...checkpoint.config,
      num_hidden_layers: layers.length,
      ...(listed && { layer_types: kept }),
      espalier: {
        layers: layers.flatMap((layer) => layerWidths[layer] ?? []),
      },
    },
    tensors,
    byteLength: checkpoint.byteLength,
    read(name, rows) {
      // A tied head is read by its own name, which is no tensor of the list.
      const source = sources.get(name) ?? (name.startsWith('model.layers.') ? undefined : name);
      if (source === undefined)
        throw new MissingError(`${checkpoint.provenance.name} has no tensor ${name} after pruning.`);
      return checkpoint.read(source, rows);
    },
    ...(groupQuantised && { groupQuantised: (name: string) => groupQuantised(sources.get(name) ?? name) }),
    file: (name) => checkpoint.file(name),
    sha256: () => checkpoint.sha256(),
  };
}
