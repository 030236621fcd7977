import type { LayerPositions } from './architecture.ts';
import type { ConfigFields } from './config-fields.ts';
import { readMixedPositions, readWindow } from './sliding-windows.ts';

/** Qwen's rule: with `use_sliding_window` the layers from `max_window_layers` on look through the window. */
export function readQwenPositions(
  fields: ConfigFields,
  layers: number,
  full: LayerPositions,
): (layer: number) => LayerPositions {
  const window = fields.boolean('use_sliding_window', false) ? readWindow(fields) : undefined;
  const first = fields.integer('max_window_layers', 1 << 20, layers, 0);
  const sliding = window === undefined ? undefined : { ...full, window };
  return readMixedPositions(fields, layers, full, sliding, (layer) => sliding !== undefined && layer >= first);
}
