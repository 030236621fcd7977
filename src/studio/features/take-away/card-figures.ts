import type { PerplexityMeasurement, SpeedComparison } from '../../../worker/engine.ts';
import { formatPerplexity, formatSpeed } from '../../parts/format.ts';

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
      'tokens per second while decoding, f32, where it was built': `${formatSpeed(speed.pruned.decodeTokensPerSecond)}${against(formatSpeed(speed.dense.decodeTokensPerSecond))}`,
    }),
  };
}
