import type { LayerPositions } from './architecture.ts';
import type { ConfigFields } from './config-fields.ts';

const LONGEST = 1 << 30;

const LAYER_TYPES = { full_attention: false, sliding_attention: true } as const;

/** The attention window of the config, undefined where it has none. */
export function readWindow(fields: ConfigFields): number | undefined {
  return fields.has('sliding_window') ? fields.integer('sliding_window', LONGEST) : undefined;
}

/**
 * Positions of layers that either see everything or look through a window. `sliding` is undefined where the config has no window.
 * Which do, `layer_types` says where the config lists them, else the architecture's rule. Throws FileFormatError for a sliding layer without a window.
 */
export function readMixedPositions(
  fields: ConfigFields,
  layers: number,
  full: LayerPositions,
  sliding: LayerPositions | undefined,
  rule: (layer: number) => boolean,
): (layer: number) => LayerPositions {
  const slides =
    fields.choices<boolean>('layer_types', layers, LAYER_TYPES) ??
    Array.from({ length: layers }, (_, layer) => rule(layer));
  if (!sliding && slides.includes(true))
    throw fields.wrong('sliding_window', 'a number of positions, because some layers slide');
  return (layer) => (slides[layer] && sliding ? sliding : full);
}

/** Positions of an architecture whose layers are all alike. Throws UnsupportedError where `layer_types` says that they are not. */
export function readUniformPositions(
  fields: ConfigFields,
  layers: number,
  positions: LayerPositions,
): (layer: number) => LayerPositions {
  const slides = fields.choices<boolean>('layer_types', layers, LAYER_TYPES) ?? [];
  const different = slides.findIndex((slide) => slide !== (positions.window !== undefined));
  if (different >= 0)
    throw fields.unsupported(
      'layer_types',
      `all layers of this architecture look ${positions.window === undefined ? 'at everything' : 'through a window'}, but layer ${different} does not`,
    );
  return () => positions;
}
