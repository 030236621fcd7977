import type { Architecture } from './architecture.ts';
import { mixerOf } from './block-weights.ts';

/** The layers as `layer_types` of config.json lists them. */
export function layerTypes({ config, kind, positions }: Architecture): string[] {
  return config.layerWidths.map((_, layer) => {
    if (mixerOf(kind(layer)) === 'convolution') return 'conv';
    return positions(layer).window === undefined ? 'full_attention' : 'sliding_attention';
  });
}
