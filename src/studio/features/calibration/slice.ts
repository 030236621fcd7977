import type { StateCreator } from 'zustand';
import type { LayerScores } from '../../../importance/sums/scores.ts';
import type { PrecisionChoice } from '../../../library/score-precision.ts';
import type { ChosenText } from '../../data/text.ts';

/** Which scores the page works from: those shipped with the model, none yet, or those of a run made here (its key in the query cache). */
export type ScoresChoice =
  | { readonly kind: 'precomputed' }
  | { readonly kind: 'none' }
  | { readonly kind: 'run'; readonly run: number };

export interface CalibrationSlice {
  readonly calibrationText: ChosenText;
  readonly calibrationWindows: number;
  readonly calibrationLength: number;
  readonly calibrationSeed: number;
  /** What a run computes in, on a device that has half precision. */
  readonly scorePrecision: PrecisionChoice;
  /** What compensation learns from, at most. */
  readonly repairWindows: number;
  /** Ridge of least squares, relative to the mean diagonal. */
  readonly repairLambda: number;
  /** What a refinement measures plans on, and how many it may measure beyond the closed-form ones. */
  readonly refineWindows: number;
  readonly refineEvaluations: number;
  /** Parts that a plan in passes removes one after the other. */
  readonly recipePasses: number;
  readonly scoresChoice: ScoresChoice;
  /** Layers that a run has done so far, by number; empty while none goes. */
  readonly scoredLayers: ReadonlyMap<number, LayerScores>;
  setCalibration(patch: Partial<Omit<CalibrationSlice, 'setCalibration'>>): void;
}

export const createCalibrationSlice: StateCreator<CalibrationSlice> = (set) => ({
  calibrationText: { kind: 'embedded' },
  calibrationWindows: 64,
  calibrationLength: 128,
  calibrationSeed: 0,
  scorePrecision: 'f32',
  repairWindows: 64,
  repairLambda: 1e-3,
  refineWindows: 16,
  refineEvaluations: 20,
  recipePasses: 4,
  scoresChoice: { kind: 'precomputed' },
  scoredLayers: new Map(),
  setCalibration: (patch) => set(patch),
});
