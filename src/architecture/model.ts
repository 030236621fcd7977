import { elementCount } from '../arrays.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { EMBEDDING, HEAD } from '../checkpoint/tensor-names.ts';
import type { Architecture, WeightBinding } from './architecture.ts';
import { isRemovedLayer } from './block-weights.ts';
import { architectureFor, canonicalCheckpoint } from './index.ts';
import { refuseOtherAngles } from './rotary-rows.ts';
import { refuseKnownUnread, refuseUnread, withoutBeside, withoutUnread } from './unread-tensors.ts';
import { checkWeight } from './weights.ts';

/** A checkpoint with the architecture that reads it: what every stage of pruning works on. */
export interface Model {
  readonly checkpoint: Checkpoint;
  readonly architecture: Architecture;
}

export interface ModelOptions {
  /** Leave out tensors that the architecture does not read, instead of refusing the model. Default false. */
  readonly ignoreTensors?: boolean;
}

/**
 * Chooses the architecture and checks that every weight is there in the right shape and that no tensor is left over, so that a broken file is refused before
 * any work, and no figure is made of a part of a model.
 */
export function modelOf(stored: Checkpoint, { ignoreTensors = false }: ModelOptions = {}): Model {
  const canonical = canonicalCheckpoint(stored);
  const architecture = architectureFor(canonical);
  const checkpoint = withoutBeside(withoutCopiedHead(canonical, architecture), architecture);
  if (!ignoreTensors) refuseKnownUnread(checkpoint, architecture);
  for (const binding of allBindings(architecture)) checkWeight(checkpoint, binding);
  refuseOtherAngles(checkpoint, architecture);
  if (ignoreTensors) return { checkpoint: withoutUnread(checkpoint, architecture), architecture };
  refuseUnread(checkpoint, architecture);
  return { checkpoint, architecture };
}

/** The checkpoint without an output matrix that is a copy of the embedding, which stands for both where the architecture ties them. */
function withoutCopiedHead(checkpoint: Checkpoint, { config }: Architecture): Checkpoint {
  if (!config.tiedEmbedding || !checkpoint.tensors.has(HEAD) || !checkpoint.tensors.has(EMBEDDING)) return checkpoint;
  return { ...checkpoint, tensors: new Map([...checkpoint.tensors].filter(([name]) => name !== HEAD)) };
}

/** Every weight of a model; tied tensors appear once per program that reads them. */
export function allBindings(architecture: Architecture): WeightBinding[] {
  const blocks = architecture.config.layerWidths.flatMap((widths, layer) =>
    isRemovedLayer(widths) ? [] : architecture.blockWeights(layer),
  );
  return [...architecture.embedWeights(), ...blocks, ...architecture.headWeights()];
}

/** Parameters of the model (tied tensors once) and of its prunable-plus-norm blocks. */
export function countParameters({ checkpoint, architecture }: Model): {
  readonly parameters: number;
  readonly blockParameters: number;
} {
  const size = (binding: WeightBinding) =>
    binding.assignment || (binding.optional && !checkpoint.tensors.has(binding.tensor))
      ? 0
      : elementCount(binding.shape);
  const unique = new Map(
    allBindings(architecture).map((binding) => [`${binding.tensor}:${binding.rows?.start ?? 0}`, size(binding)]),
  );
  const blockTensors = new Set(
    architecture.config.layerWidths.flatMap((_, layer) => architecture.blockWeights(layer).map(({ tensor }) => tensor)),
  );
  let parameters = 0;
  let blockParameters = 0;
  for (const [key, count] of unique) {
    parameters += count;
    if (blockTensors.has(key.slice(0, key.lastIndexOf(':')))) blockParameters += count;
  }
  return { parameters, blockParameters };
}
