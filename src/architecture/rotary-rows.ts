import type { Checkpoint, RotaryRow } from '../checkpoint/checkpoint.ts';
import { isRecord } from '../checkpoint/files/json.ts';
import { MismatchError } from '../errors.ts';
import type { Architecture, LayerPositions } from './architecture.ts';

/** Half precision is off by 0.0005 at most; angles of another base or scaling by far more. */
const TOLERANCE = 4e-3;

/**
 * Throws MismatchError where a graph carries rotary angles that no layer of its config turns by: one of the two is not of this model. LongRoPE has two sets of angles by the length of the
 * text, of which a graph may carry either; it is left alone.
 */
export function refuseOtherAngles(
  { rotaryRows = [], provenance, config }: Checkpoint,
  architecture: Architecture,
): void {
  const isLong = [config.rope_scaling, config.rope_parameters].some(
    (scaling) => isRecord(scaling) && [scaling.rope_type, scaling.type].includes('longrope'),
  );
  if (isLong) return;
  const kinds = new Set(architecture.config.layerWidths.map((_, layer) => architecture.positions(layer)));
  for (const row of rotaryRows) {
    const off = [...kinds].map((positions) => firstOther(row, positions));
    const channel = off[0];
    if (channel === undefined || off.includes(undefined)) continue;
    const [kind] = kinds;
    const expected = Math.cos(row.position * (kind?.inverseFrequencies[channel] ?? 0)) * (kind?.magnitude ?? 1);
    throw new MismatchError(
      `${provenance.name}: the graph turns positions by other angles than config.json says: at position ${row.position}, channel ${channel}, ${row.name} has ${row.cosine[channel]}, and the config gives ${expected.toPrecision(6)}. Take the config.json that the graph was exported with (rope_theta, rope_scaling, head_dim).`,
    );
  }
}

/** The first channel whose angle is another; undefined where all agree. */
function firstOther({ position, cosine, sine }: RotaryRow, positions: LayerPositions): number | undefined {
  const { inverseFrequencies, magnitude } = positions;
  if (inverseFrequencies.length !== cosine.length) return 0;
  const channel = inverseFrequencies.findIndex((frequency, index) => {
    const angle = position * frequency;
    const off = (found: number | undefined, expected: number) => Math.abs((found ?? 0) - magnitude * expected);
    return off(cosine[index], Math.cos(angle)) > TOLERANCE || off(sine[index], Math.sin(angle)) > TOLERANCE;
  });
  return channel < 0 ? undefined : channel;
}
