/** Values that are evenly spaced: least + step * k. */
export interface Spacing {
  readonly least: number;
  readonly step: number;
}

/** Share of a step that a weight may be off, where float32 rounds coarser than that nothing is said to be even. */
const TOLERANCE = 1e-3;

/**
 * The spacing of a block whose weights have at most 2^bits evenly spaced values, up to float32's rounding; undefined where they do not. The least may be any number, as in
 * the formats of ggml that store it (Q4_1, Q4_K).
 */
export function evenSpacing(weights: Float32Array, bits: 4 | 8): Spacing | undefined {
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  for (const weight of weights) {
    if (weight < least) least = weight;
    if (weight > greatest) greatest = weight;
  }
  // A sum that float32 rounded once is off by half a unit of its last place; a difference of two, by a whole one.
  const rounding = 2 ** -23 * Math.max(-least, greatest);
  let gap = Number.POSITIVE_INFINITY;
  for (const weight of weights) if (weight - least > rounding) gap = Math.min(gap, weight - least);
  // One value is even whatever the step.
  if (gap === Number.POSITIVE_INFINITY) return { least, step: Math.abs(least) || 1 };
  const steps = 2 ** bits - 1;
  for (let multiple = 1; multiple <= steps; multiple++) {
    const step = gap / multiple;
    if ((greatest - least) / step > steps + 0.5) return undefined;
    const found = spacingNear(weights, { least, step }, rounding);
    if (found) return found;
  }
  return undefined;
}

/** The spacing of about that step if all weights are whole numbers of it above the least; the step is fitted to them. */
function spacingNear(weights: Float32Array, { least, step }: Spacing, rounding: number): Spacing | undefined {
  let products = 0;
  let squares = 0;
  for (const weight of weights) {
    const whole = Math.round((weight - least) / step);
    // The gap that the step was made of is rounded too: so many times as many steps are so many times as far off.
    if (Math.abs(weight - least - whole * step) > rounding * (1 + whole)) return undefined;
    products += (weight - least) * whole;
    squares += whole * whole;
  }
  const fitted = products / squares;
  return rounding <= TOLERANCE * fitted ? { least, step: fitted } : undefined;
}
