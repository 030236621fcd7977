import type { ConfigFields } from './config-fields.ts';

/** YaRN (arXiv 2309.00071): fast channels keep their frequencies, slow ones are interpolated, a ramp lies between. */
export interface Yarn {
  readonly kind: 'yarn';
  readonly factor: number;
  /** Channels turn in full above `fastRotations` rotations over the original length, and are interpolated below `slowRotations`. */
  readonly fastRotations: number;
  readonly slowRotations: number;
  /** Whether the ramp's ends are rounded outwards to whole channels. */
  readonly truncate: boolean;
  /** Factor on cosine and sine. */
  readonly magnitude: number;
  readonly originalPositions: number;
}

/** Reads YaRN's fields with transformers' defaults. Throws FileFormatError for ill-typed ones. */
export function readYarn(fields: ConfigFields, maximumPositions: number, originalPositions: number): Yarn {
  const factor = fields.positive('factor', maximumPositions / originalPositions);
  const magnitudeOf = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  const isScaled = fields.has('mscale') && fields.has('mscale_all_dim');
  const inferred = isScaled
    ? magnitudeOf(fields.positive('mscale')) / magnitudeOf(fields.positive('mscale_all_dim'))
    : magnitudeOf(1);
  const fastRotations = fields.positive('beta_fast', 32);
  const slowRotations = fields.positive('beta_slow', 1);
  if (fastRotations < slowRotations) throw fields.wrong('beta_fast', `at least beta_slow, which is ${slowRotations}`);
  return {
    kind: 'yarn',
    factor,
    fastRotations,
    slowRotations,
    truncate: fields.boolean('truncate', true),
    magnitude: fields.positive('attention_factor', inferred),
    originalPositions,
  };
}

/** Unscaled `frequencies` [rotaryDimension / 2] of base `theta`, stretched (transformers' _compute_yarn_parameters). */
export function yarnFrequencies(frequencies: Float64Array, theta: number, yarn: Yarn): Float64Array {
  const rotaryDimension = 2 * frequencies.length;
  const channelOf = (rotations: number) =>
    (rotaryDimension * Math.log(yarn.originalPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [low, high] = [channelOf(yarn.fastRotations), channelOf(yarn.slowRotations)];
  const start = Math.max(0, yarn.truncate ? Math.floor(low) : low);
  const end = Math.min(rotaryDimension - 1, yarn.truncate ? Math.ceil(high) : high);
  // As the original: equal ends would divide by zero.
  const width = start === end ? 0.001 : end - start;
  return frequencies.map((frequency, channel) => {
    const interpolated = Math.min(1, Math.max(0, (channel - start) / width));
    return (frequency / yarn.factor) * interpolated + frequency * (1 - interpolated);
  });
}
