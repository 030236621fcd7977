import type { Scores } from '../importance/sums/scores.ts';
import { parseMetric } from './metric.ts';
import type { PlanOptions } from './plan-options.ts';
import { DEFAULT_RECIPE } from './recipe.ts';

/** A place in the space that the measured search walks: a few numbers on top of `tempered` (docs/method.md section 4). All 0 but gamma is the recipe as it was given. */
export interface Point {
  /** The attention priorities are multiplied by 2 to this power. */
  readonly attention: number;
  readonly gamma: number;
  /** Tilt over depth: `balance.depth`. */
  readonly depth: number;
  /** Metrics after the first of the recipe's expression count 4 to this power as much. */
  readonly mix: number;
  /** Exponent of (1 + stability). */
  readonly stability: number;
}

export interface Coordinate {
  readonly name: keyof Point;
  /** First step; halved when a whole round finds nothing better. */
  readonly step: number;
  readonly least: number;
  readonly most: number;
}

/** In the order of how much they decide (docs/method.md section 6, point 5). */
const COORDINATES: readonly Coordinate[] = [
  { name: 'attention', step: 1, least: -4, most: 4 },
  { name: 'gamma', step: 0.25, least: 0, most: 1.5 },
  { name: 'depth', step: 0.5, least: -2, most: 2 },
  { name: 'mix', step: 1, least: -4, most: 4 },
  { name: 'stability', step: 1, least: -2, most: 2 },
];

/** The coordinates that can change anything: no mix of a single metric, no stability that was not scored, no depth of one layer. */
export function coordinatesFor(scores: Scores, base: PlanOptions): readonly Coordinate[] {
  const usable: Readonly<Record<keyof Point, boolean>> = {
    attention: true,
    gamma: true,
    depth: scores.layers.length > 1,
    mix: parseMetric(base.metric ?? DEFAULT_RECIPE.metric).length > 1,
    stability: hasStability(scores),
  };
  return COORDINATES.filter(({ name }) => usable[name]);
}

export function hasStability(scores: Scores): boolean {
  return scores.layers.every(
    ({ attention, mlp }) =>
      Object.keys(attention).length === 0 || (attention.stability !== undefined && mlp.stability !== undefined),
  );
}

/** The planner's options at a point. */
export function optionsAt(base: PlanOptions, { attention, gamma, depth, mix, stability }: Point): PlanOptions {
  const { balance, stability: _, gamma: __, ...rest } = base;
  const wanted = { attention: (balance?.attention ?? 1) * 2 ** attention, depth: (balance?.depth ?? 0) + depth };
  return {
    ...rest,
    search: 'tempered',
    metric: mixed(base.metric ?? DEFAULT_RECIPE.metric, 4 ** mix),
    gamma,
    ...(stability === 0 ? {} : { stability }),
    ...(wanted.attention === 1 && wanted.depth === 0 ? {} : { balance: wanted }),
  };
}

/** A metric expression with the weights of all terms after the first multiplied. */
function mixed(expression: string, factor: number): string {
  if (factor === 1) return expression;
  return parseMetric(expression)
    .map(({ metric, weight }, index) => {
      const value = index === 0 ? weight : weight * factor;
      return value === 1 ? metric : `${Number(value.toPrecision(6))}*${metric}`;
    })
    .join('+');
}
