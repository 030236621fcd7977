import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { MismatchError } from '../errors.ts';
import type { LayerPositions } from './architecture.ts';
import type { ConfigFields } from './config-fields.ts';
import { ROPE_KEY_RULES } from './config-keys.ts';
import { type Rotation, readRopeScaling, rotationOf } from './rope.ts';

/**
 * The rotary embedding of layers with a window where it is another than that of the full ones: a base of its own (`rope_local_base_freq`, which `fields` may name
 * otherwise), and no scaling unless newer files' `rope_parameters` state one. Throws MismatchError where two places contradict each other.
 */
export function readLocalRotation(
  { config }: Checkpoint,
  fields: ConfigFields,
  { inverseFrequencies: { length } }: LayerPositions,
): Rotation {
  const local = fields.object('rope_parameters')?.object('sliding_attention');
  local?.check(ROPE_KEY_RULES);
  const theta = local?.has('rope_theta') ? local.positive('rope_theta') : fields.positive('rope_local_base_freq');
  const { rope_local_base_freq: stated = theta } = config;
  if (stated !== null && stated !== theta)
    throw new MismatchError(
      `config.json says two things: rope_local_base_freq is ${JSON.stringify(stated)} and rope_parameters.sliding_attention.rope_theta is ${theta}. Keep the one that the model was trained with.`,
    );
  const maximumPositions = fields.integer('max_position_embeddings', 1 << 30);
  return rotationOf(2 * length, theta, readRopeScaling(local, { rotaryDimension: 2 * length, maximumPositions }));
}
