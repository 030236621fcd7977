import { format } from 'd3';

/** How importance becomes a position on the colour scale. */
export const NORMALISATIONS = ['log', 'linear', 'rank'] as const;
export type Normalisation = (typeof NORMALISATIONS)[number];

export interface NormalisedScale {
  /** Position of a value on the colour scale, 0 … 1. */
  position(value: number): number;
  /** Legend: positions with the value that stands there. */
  readonly ticks: readonly { readonly position: number; readonly label: string }[];
  /** The value below (above) which the colour no longer changes. */
  readonly domain: readonly [number, number];
}

const TICKS = 5;
const short = format('.2~e');

/** A number of the importance scale, in at most seven characters. */
export function formatImportance(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return '0';
  const magnitude = Math.abs(value);
  return magnitude >= 0.01 && magnitude < 1000 ? format('.3~g')(value) : short(value).replace('e+', 'e');
}

/**
 * Scale over all values of a model. `log` and `linear` end at the 3rd and 99.5th percentile, so that single outliers do not flatten the rest;
 * `rank` is the share of groups with a smaller value.
 */
export function normalisedScale(kind: Normalisation, arrays: readonly Float32Array[]): NormalisedScale {
  const total = arrays.reduce((sum, values) => sum + values.length, 0);
  const sorted = new Float32Array(total);
  let offset = 0;
  for (const values of arrays) {
    sorted.set(values, offset);
    offset += values.length;
  }
  sorted.sort();
  const at = (share: number) => sorted[Math.round(share * (total - 1))] ?? 0;
  const evenly = Array.from({ length: TICKS }, (_, index) => index / (TICKS - 1));
  if (kind === 'rank') {
    const ticks = evenly.map((position) => ({ position, label: formatImportance(at(position)) }));
    return { position: (value) => rankShare(sorted, value), ticks, domain: [at(0), at(1)] };
  }
  const high = at(0.995);
  if (kind === 'linear') {
    const ticks = evenly.map((position) => ({ position, label: formatImportance(high * position) }));
    return { position: (value) => clamp(high > 0 ? value / high : 0), ticks, domain: [0, high] };
  }
  const low = Math.max(at(0.03), high * 1e-6, Number.MIN_VALUE);
  const span = Math.log(high / low);
  const ticks = evenly.map((position) => ({ position, label: formatImportance(low * Math.exp(span * position)) }));
  return {
    position: (value) => clamp(value > 0 && span > 0 ? Math.log(value / low) / span : 0),
    ticks,
    domain: [low, high],
  };
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function rankShare(sorted: Float32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return sorted.length > 1 ? low / (sorted.length - 1) : 0;
}
