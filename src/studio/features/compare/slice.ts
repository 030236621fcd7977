import type { StateCreator } from 'zustand';
import type { SpeedSoFar } from '../../../evaluate/speed/speed.ts';
import type { ChosenText } from '../../data/text.ts';

/** How the page measures; every number that it shows names these. */
export interface MeasureSlice {
  /** Measure by itself when the reader pauses. */
  readonly autoMeasure: boolean;
  readonly measureText: ChosenText;
  readonly measureWindows: number;
  readonly measureLength: number;
  /** Tokens that each model decodes in each round of a speed measurement. */
  readonly speedTokens: number;
  /** Longest time of one. */
  readonly speedSeconds: number;
  /** Names of the methods that are measured beside the reader's recipe. */
  readonly comparedMethods: readonly string[];
  /** Ratio of the present recipe whose perplexity is being measured. */
  readonly measuringRatio: number | undefined;
  /** The speed that is being measured, as far as it is known, and at which ratio. */
  readonly speedSoFar: (SpeedSoFar & { readonly ratio: number }) | undefined;
  /** Why measuring behind the page stopped last. */
  readonly sweepFailure: string | undefined;
  setMeasure(patch: Partial<Omit<MeasureSlice, 'setMeasure'>>): void;
}

export const createMeasureSlice: StateCreator<MeasureSlice> = (set) => ({
  autoMeasure: true,
  measureText: { kind: 'embedded' },
  measureWindows: 16,
  measureLength: 128,
  speedTokens: 32,
  speedSeconds: 20,
  comparedMethods: ['llm-pruner-element-first', 'magnitude-l2', 'random'],
  measuringRatio: undefined,
  speedSoFar: undefined,
  sweepFailure: undefined,
  setMeasure: (patch) => set(patch),
});
