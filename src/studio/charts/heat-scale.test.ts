import { lab, rgb } from 'd3';
import { describe, expect, it } from 'vitest';
import { colourDistance, HEAT_WORDS, heatColour, heatColours, type Theme } from './heat-scale.ts';

const THEMES: readonly Theme[] = ['light', 'dark'];
const at = (colours: Uint8ClampedArray, step: number) =>
  `rgb(${colours[step * 3]}, ${colours[step * 3 + 1]}, ${colours[step * 3 + 2]})`;

/** Deuteranopia and protanopia after Viénot, Brettel and Mollon (1999), in linear RGB. */
const DEFICIENCIES = {
  deuteranopia: [
    [0.29275, 0.70725, 0],
    [0.29275, 0.70725, 0],
    [-0.02234, 0.02234, 1],
  ],
  protanopia: [
    [0.11238, 0.88762, 0],
    [0.11238, 0.88762, 0],
    [0.00401, -0.00401, 1],
  ],
} as const;

function seenWith(colour: string, matrix: readonly (readonly number[])[]): string {
  const { r, g, b } = rgb(colour);
  const linear = [r, g, b].map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
  );
  const [red = 0, green = 0, blue = 0] = matrix
    .map((row) => row.reduce((sum, weight, index) => sum + weight * (linear[index] ?? 0), 0))
    .map((value) => Math.max(0, Math.min(1, value)))
    .map((value) => 255 * (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055));
  return rgb(red, green, blue).formatRgb();
}

describe.each(THEMES)('heat colours, %s', (theme) => {
  const colours = heatColours(theme);
  const sampled = Array.from({ length: 18 }, (_, index) => at(colours, index * 15));

  it('change lightness in one direction only', () => {
    const lightness = sampled.map((colour) => lab(colour).l);
    const direction = theme === 'light' ? -1 : 1;
    for (let index = 1; index < lightness.length; index += 1)
      expect(direction * ((lightness[index] ?? 0) - (lightness[index - 1] ?? 0))).toBeGreaterThan(1);
  });

  it('are told in words as they look', () => {
    const [spare, needed] = [at(colours, 0), at(colours, 255)].map((colour) => lab(colour).l);
    const words = (needed ?? 0) < (spare ?? 0) ? { needed: 'dark', spare: 'pale' } : { needed: 'bright', spare: 'dim' };
    expect(HEAT_WORDS[theme]).toEqual(words);
  });

  it('take perceptually even steps', () => {
    const steps = sampled.slice(1).map((colour, index) => colourDistance(lab(colour), lab(sampled[index] ?? colour)));
    const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length;
    for (const step of steps) expect(Math.abs(step - mean) / mean).toBeLessThan(0.2);
  });

  it.each(Object.entries(DEFICIENCIES))('keep neighbours apart with %s', (_name, matrix) => {
    const seen = sampled.map((colour) => seenWith(colour, matrix));
    for (let index = 1; index < seen.length; index += 1)
      expect(colourDistance(lab(seen[index] ?? ''), lab(seen[index - 1] ?? ''))).toBeGreaterThan(3);
  });

  it('clamp outside the domain', () => {
    expect(heatColour(colours, -1)).toBe(at(colours, 0));
    expect(heatColour(colours, 2)).toBe(at(colours, 255));
  });
});
