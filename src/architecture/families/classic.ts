import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Architecture } from '../architecture.ts';
import { readBiases } from '../biases.ts';
import type { CommonConfig } from '../config.ts';
import type { ConfigFields } from '../config-fields.ts';
import { decoder } from '../decoder.ts';
import { withoutRotation } from '../rope.ts';
import { readUniformPositions } from '../sliding-windows.ts';
import { CLASSIC_TENSORS, NORM_BIASES } from './classic-tensors.ts';

/** A decoder with layer norms, learned positions and an MLP without a gate, of the config that was read; `asked` are the biases that its modules have. */
export function learnedPositionDecoder(
  checkpoint: Checkpoint,
  fields: ConfigFields,
  { config, activation, positions }: CommonConfig,
  asked: Parameters<typeof readBiases>[3],
): Architecture {
  const { tensors, required } = readBiases(checkpoint, fields, CLASSIC_TENSORS, asked);
  return decoder({
    config,
    activation,
    norm: 'layer',
    learnedPositions: true,
    tensors,
    required: [...required, ...NORM_BIASES],
    positions: readUniformPositions(fields, config.layers, withoutRotation(positions)),
  });
}
