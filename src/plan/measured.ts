import { throwIfCancelled, UsageError } from '../errors.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { LongRunning } from '../progress.ts';
import { candidatePlans, planOrNothing, planSignature } from './measured-candidates.ts';
import { type Coordinate, coordinatesFor, optionsAt, type Point } from './measured-coordinates.ts';
import type { LayerPlan, Plan } from './plan.ts';
import type { PlanOptions } from './plan-options.ts';

/** Evaluations that the walk may take after the candidates. */
export const DEFAULT_EVALUATIONS = 20;
/** Steps are halved so often before the walk ends. */
const HALVINGS = 2;

export interface MeasuredOptions extends LongRunning {
  /** What `lossOf` gives, for the recipe: KL from the dense model, or cross-entropy. */
  readonly of?: 'kl' | 'perplexity';
  /** Mean loss in nats of the model with these groups, always on the same windows. */
  readonly lossOf: (layers: readonly LayerPlan[]) => Promise<number>;
  /** How many plans may be measured after the candidates. Default 20. */
  readonly evaluations?: number;
}

/** One plan that was measured. */
export interface Measurement {
  /** A search, a baseline, or the coordinate that was moved ('attention 0.5'). */
  readonly name: string;
  /** In nats. */
  readonly loss: number;
  /** The plan that was measured. */
  readonly plan: Plan;
}

/** What a search by measuring found. */
export interface MeasuredPlan {
  /** The plan with the lowest loss. Its recipe gives the same plan from the same scores, without measuring. */
  readonly plan: Plan;
  /** Of the best plan, in nats. */
  readonly loss: number;
  /** Everything that was measured, in order; the candidates come first. */
  readonly measurements: readonly Measurement[];
  /** How many of `measurements` are closed-form searches and baselines. */
  readonly candidates: number;
}

/**
 * The search `measured` (docs/method.md section 4, ours): coordinate descent on the measured loss of the pruned model over a few numbers, from the best of the
 * closed-form variants. All of these and every baseline's ranking are measured too, so that the result is never worse on these windows than the best of them.
 * Deterministic; equal plans are measured once; of equal losses the earliest wins.
 */
export async function searchMeasured(
  scores: Scores,
  base: PlanOptions,
  options: MeasuredOptions,
): Promise<MeasuredPlan> {
  const { evaluations = DEFAULT_EVALUATIONS } = options;
  if (!Number.isSafeInteger(evaluations) || evaluations < 0)
    throw new UsageError(`evaluations is ${evaluations}; it must be a whole number, 0 or more.`);
  const candidates = candidatePlans(scores, base);
  const total = candidates.length + evaluations;
  const losses = new Map<string, number>();
  const measurements: Measurement[] = [];
  const report = (completed: number) => options.onProgress?.({ stage: 'measuring', completed, total, unit: 'steps' });
  const measure = async (name: string, plan: Plan): Promise<number> => {
    const signature = planSignature(plan);
    const known = losses.get(signature);
    if (known !== undefined) return known;
    throwIfCancelled(options.signal);
    report(measurements.length);
    const measured = await options.lossOf(plan.layers);
    const loss = Number.isFinite(measured) ? measured : Number.POSITIVE_INFINITY;
    losses.set(signature, loss);
    measurements.push({ name, loss, plan });
    return loss;
  };

  let here: Place | undefined;
  for (const { name, plan, point } of candidates) {
    const loss = await measure(name, plan);
    if (point && (!here || loss < here.loss)) here = { point, loss };
  }
  /** The loss at a point; undefined where nothing can be planned there, or no evaluation is left. */
  const lossAt = async (name: string, point: Point): Promise<number | undefined> => {
    const plan = planOrNothing(scores, optionsAt(base, point));
    if (!plan || (measurements.length >= total && !losses.has(planSignature(plan)))) return undefined;
    return measure(name, plan);
  };
  if (here) await descend(here, coordinatesFor(scores, base), lossAt);
  report(total);

  const best = measurements.reduce((lowest, measurement) => (measurement.loss < lowest.loss ? measurement : lowest));
  const { plan, loss } = best;
  return {
    plan: {
      ...plan,
      recipe: {
        ...plan.recipe,
        measured: { loss, evaluations: measurements.length, ...(options.of && { of: options.of }) },
      },
    },
    loss,
    measurements,
    candidates: candidates.length,
  };
}

interface Place {
  readonly point: Point;
  readonly loss: number;
}

/** Coordinate descent: each number in turn goes on in the direction that lowers the loss; when none does, all steps are halved. */
async function descend(
  start: Place,
  coordinates: readonly Coordinate[],
  lossAt: (name: string, point: Point) => Promise<number | undefined>,
): Promise<void> {
  let here = start;
  for (let halvings = 0; halvings <= HALVINGS; ) {
    const before = here;
    for (const coordinate of coordinates) {
      const step = coordinate.step / 2 ** halvings;
      const place = here;
      here = await walk(place, coordinate, step, lossAt);
      if (here === place) here = await walk(place, coordinate, -step, lossAt);
    }
    if (here === before) halvings++;
  }
}

/** Steps along one coordinate as long as the loss falls. */
async function walk(
  start: Place,
  { name, least, most }: Coordinate,
  step: number,
  lossAt: Parameters<typeof descend>[2],
): Promise<Place> {
  let here = start;
  for (;;) {
    const value = Math.min(most, Math.max(least, here.point[name] + step));
    if (value === here.point[name]) return here;
    const point = { ...here.point, [name]: value };
    const loss = await lossAt(`${name} ${Number(value.toPrecision(4))}`, point);
    if (loss === undefined || !(loss < here.loss)) return here;
    here = { point, loss };
  }
}
