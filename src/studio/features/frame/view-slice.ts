import type { StateCreator } from 'zustand';
import type { Metric } from '../../../importance/sums/scores.ts';
import type { HeatmapCell, HeatmapModule } from '../../charts/heatmap-layout.ts';
import type { Normalisation } from '../../charts/normalise.ts';

export type ThemeChoice = 'system' | 'light' | 'dark';

export interface ViewSlice {
  readonly themeChoice: ThemeChoice;
  /** What the heatmap shows: what the recipe ranks by, or one metric of the score file. */
  readonly shownMetric: Metric | 'recipe';
  readonly normalisation: Normalisation;
  readonly arrangement: 'sorted' | 'place';
  readonly perParameter: boolean;
  readonly asTable: boolean;
  /** The cell that the pointer or the keyboard is on. */
  readonly cursor: HeatmapCell | undefined;
  /** The layer and module that is shown down to single groups, around a place in its order. */
  readonly zoom: { readonly layer: number; readonly module: HeatmapModule; readonly centre: number } | undefined;
  setView(patch: Partial<Omit<ViewSlice, 'setView'>>): void;
}

export const createViewSlice: StateCreator<ViewSlice> = (set) => ({
  themeChoice: 'system',
  shownMetric: 'recipe',
  normalisation: 'log',
  arrangement: 'sorted',
  perParameter: true,
  asTable: false,
  cursor: undefined,
  zoom: undefined,
  setView: (patch) => set(patch),
});
