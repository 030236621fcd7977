import type { Architecture } from './architecture.ts';
import { mixerOf } from './block-weights.ts';

/** The layers as `layer_types` of config.json lists them. */
export function layerTypes({ config, kind, positions }: Architecture): string[] {
  return config.layerWidths.map((_, layer) => {
    const mixer = mixerOf(kind(layer));
    if (mixer === 'convolution') return 'conv';
    if (mixer === 'recurrence') return 'linear_attention';
    return positions(layer).window === undefined ? 'full_attention' : 'sliding_attention';
  });
}
