/** Pixels to a tenth: what a screen can show, and what a snapshot of a chart does not change by. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
