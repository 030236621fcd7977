import type { StateCreator } from 'zustand';

/** Text to score on: the one shipped with the embedded model, or the reader's own. */
export type CalibrationText = { readonly kind: 'embedded' } | { readonly kind: 'own'; readonly name: string; readonly text: string };

/** Which scores the page works from: those shipped with the model, or those of a run made here (its key in the query cache). */
export type ScoresChoice = { readonly kind: 'precomputed' } | { readonly kind: 'run'; readonly run: number };

export interface CalibrationSlice {
  readonly calibrationText: CalibrationText;
  readonly calibrationWindows: number;
  readonly calibrationLength: number;
  readonly calibrationSeed: number;
  readonly scoresChoice: ScoresChoice;
  setCalibration(patch: Partial<Omit<CalibrationSlice, 'setCalibration'>>): void;
}

export const createCalibrationSlice: StateCreator<CalibrationSlice> = (set) => ({
  calibrationText: { kind: 'embedded' },
  calibrationWindows: 32,
  calibrationLength: 128,
  calibrationSeed: 0,
  scoresChoice: { kind: 'precomputed' },
  setCalibration: (patch) => set(patch),
});
