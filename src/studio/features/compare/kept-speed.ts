import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';

/** Whether something that was kept is a comparison of speeds with its intervals. */
export function isSpeedComparison(value: unknown): value is SpeedComparison {
  if (!isRecord(value)) return false;
  const { dense, pruned, rounds } = value;
  return [value, dense, pruned].every(hasSpeeds) && Number.isFinite(rounds);
}

function hasSpeeds(value: unknown): boolean {
  return isRecord(value) && isEstimate(value.decode) && isEstimate(value.prefill);
}

/** Of too few rounds an interval has no end. */
function isEstimate(value: unknown): boolean {
  return isRecord(value) && ['value', 'low', 'high'].every((key) => typeof value[key] === 'number');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
