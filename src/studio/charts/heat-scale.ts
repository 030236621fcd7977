import { type LabColor, lab, rgb } from 'd3';

export type Theme = 'light' | 'dark';

/** Colours from unimportant to important. Unimportant cells recede into the page in both themes: more ink is more importance. */
const STOPS: Record<Theme, readonly string[]> = {
  light: ['#f1efe2', '#c5d8bf', '#72b09f', '#2b7a8c', '#1d4470', '#141b3d'],
  dark: ['#1b2226', '#1f3d4f', '#23687a', '#4a9c92', '#a3cba5', '#f3f0cf'],
};

/** How cells look that are needed, and those that hardly are, in words: the scale runs to dark ink on a light page and to light on a dark one. */
export const HEAT_WORDS: Readonly<Record<Theme, { readonly needed: string; readonly spare: string }>> = {
  light: { needed: 'dark', spare: 'pale' },
  dark: { needed: 'bright', spare: 'dim' },
};

const STEPS = 256;

/** Distance of two colours in CIELAB (ΔE 1976). */
export function colourDistance(a: LabColor, b: LabColor): number {
  return Math.hypot(a.l - b.l, a.a - b.a, a.b - b.b);
}

/**
 * A sequential colour scale with equal perceptual steps: the stops are joined in CIELAB and walked at constant ΔE.
 * Returns 256 colours as packed RGB bytes [256 * 3].
 */
export function heatColours(theme: Theme): Uint8ClampedArray {
  const stops = STOPS[theme].map((stop) => lab(stop));
  const lengths = [0];
  for (let index = 1; index < stops.length; index += 1) {
    const [a, b] = [stops[index - 1], stops[index]];
    lengths.push((lengths[index - 1] ?? 0) + (a && b ? colourDistance(a, b) : 0));
  }
  const total = lengths[lengths.length - 1] ?? 1;
  const bytes = new Uint8ClampedArray(STEPS * 3);
  for (let step = 0, segment = 1; step < STEPS; step += 1) {
    const at = (step / (STEPS - 1)) * total;
    while (segment < stops.length - 1 && at > (lengths[segment] ?? 0)) segment += 1;
    const [from, to] = [stops[segment - 1], stops[segment]];
    const [start, end] = [lengths[segment - 1] ?? 0, lengths[segment] ?? 1];
    if (!from || !to) continue;
    const t = (at - start) / (end - start || 1);
    const mixed = rgb(lab(from.l + (to.l - from.l) * t, from.a + (to.a - from.a) * t, from.b + (to.b - from.b) * t));
    bytes.set([Math.round(mixed.r), Math.round(mixed.g), Math.round(mixed.b)], step * 3);
  }
  return bytes;
}

/** Colour `t` in 0 … 1 of a scale made by `heatColours`, as CSS. */
export function heatColour(colours: Uint8ClampedArray, t: number): string {
  const step = Math.min(STEPS - 1, Math.max(0, Math.round(t * (STEPS - 1)))) * 3;
  return `rgb(${colours[step]}, ${colours[step + 1]}, ${colours[step + 2]})`;
}
