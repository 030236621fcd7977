import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { MissingError } from '../../errors.ts';
import { applyPlan } from '../../library/apply-plan.ts';
import type { OpenModel } from '../../library/open-model.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LongRunning } from '../../progress.ts';

/** Windows drawn by seed from a text: `windows` of them, or as many as it has, of `length` tokens each. */
export interface Calibration {
  readonly text: string;
  readonly windows: number;
  /** Tokens per window. */
  readonly length: number;
  readonly seed: number;
}

/** How the output projections of a pruned model are repaired without training, and the calibration windows that it learns from. */
export interface Compensation extends Calibration {
  readonly compensate: 'bias' | 'least-squares';
  /** Ridge of least squares, relative to the mean diagonal. */
  readonly lambda: number;
}

/** The model that a recovery made, by the number that it gave; the engine remembers the last one. */
export interface RecoveredModel {
  readonly recovered: number;
}

/** How a pruned model is repaired: by compensation, or by the training that a recovery was. Absent: not at all. */
export type Repair = Compensation | RecoveredModel;

/** Repaired models that are remembered: their repaired projections stay in memory, a third to a half of a model each. */
const REMEMBERED = 2;

/**
 * Pruned models by plan and repair. A repair runs the model over its calibration windows, so the last ones are remembered: perplexity, speed, text and export of
 * one recipe repair once.
 */
export class RepairedModels {
  readonly #dense: () => OpenModel;
  readonly #windowsOf: (calibration: Calibration) => Promise<readonly ArrayLike<number>[]>;
  readonly #known = new Map<string, Checkpoint>();
  #recovered: { readonly number: number; readonly checkpoint: Checkpoint } | undefined;
  #recoveries = 0;

  /** `dense` is the model on the bench, `windowsOf` the calibration windows of a repair. */
  constructor(dense: () => OpenModel, windowsOf: (calibration: Calibration) => Promise<readonly ArrayLike<number>[]>) {
    this.#dense = dense;
    this.#windowsOf = windowsOf;
  }

  /** The dense model for `null`, else the pruned (and repaired) one, for as long as `use` runs. */
  async use<Result>(
    plan: Plan | null,
    repair: Repair | undefined,
    options: LongRunning,
    use: (open: OpenModel) => Promise<Result>,
  ): Promise<Result> {
    const dense = this.#dense();
    if (plan === null) return use(dense);
    if (!repair) {
      using pruned = dense.pruned(plan.layers);
      return await use(pruned);
    }
    using repaired = dense.withCheckpoint(await this.#repaired(dense, plan, repair, options));
    return await use(repaired);
  }

  /** Remembers a recovered model in place of the one before, and gives it a number that no other has. */
  keepRecovered(checkpoint: Checkpoint): number {
    this.#recoveries += 1;
    this.#recovered = { number: this.#recoveries, checkpoint };
    return this.#recoveries;
  }

  /** Models that the page may want to write with at once: dense, pruned, recovered. */
  get columns(): number {
    return this.#recovered ? 3 : 2;
  }

  /** Forgets all: another model comes onto the bench. */
  clear(): void {
    this.#known.clear();
    this.#recovered = undefined;
  }

  async #repaired(
    dense: OpenModel,
    plan: Plan,
    repair: Repair,
    { signal, onProgress }: LongRunning,
  ): Promise<Checkpoint> {
    if ('recovered' in repair) {
      if (this.#recovered?.number !== repair.recovered)
        throw new MissingError('The recovered model is not there any more. Recover the pruned model again.');
      return this.#recovered.checkpoint;
    }
    const key = repairKey(plan, repair);
    const known = this.#known.get(key);
    if (known) return known;
    const { compensate, lambda } = repair;
    using pruned = await applyPlan(dense, plan.layers, {
      compensate,
      lambda,
      windows: await this.#windowsOf(repair),
      signal,
      onProgress,
    });
    const { checkpoint } = pruned.model;
    this.#known.set(key, checkpoint);
    while (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value ?? '');
    return checkpoint;
  }
}

/** What tells pruned models apart: what stays, and how it was repaired. */
export function repairKey(plan: Plan, repair: Repair | undefined): string {
  return JSON.stringify([plan.layers, repair ?? null]);
}
