import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import type { PerplexityMeasurement } from '../../../worker/engine.ts';
import { formatPerplexity, formatSpeedEstimate, formatSpeedRatio } from '../../parts/format.ts';

/** Measured figures of a plan as lines of its model card; nothing for what was not measured. */
export function cardFigures(
  measuredOn: string,
  pruned: PerplexityMeasurement | undefined,
  dense: PerplexityMeasurement | undefined,
  speed: SpeedComparison | undefined,
): Record<string, string> {
  const against = (before: string | undefined) => (before === undefined ? '' : ` (dense ${before})`);
  return {
    ...(pruned && {
      [`perplexity on ${measuredOn}`]: `${formatPerplexity(pruned.perplexity)} ± ${formatPerplexity(pruned.standardError)}${against(dense && formatPerplexity(dense.perplexity))}`,
    }),
    ...(speed && {
      'decoding speed over the dense model, f32, token by token in turn where it was built, 99% interval': `${formatSpeedRatio(speed.decode)}; ${formatSpeedEstimate(speed.pruned.decode)} tokens per second`,
    }),
  };
}
