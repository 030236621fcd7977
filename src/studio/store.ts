import { create } from 'zustand';
import { persist } from 'zustand/middleware';
import { useShallow } from 'zustand/react/shallow';
import { checkedState } from './data/kept-state.ts';
import { restedStorage } from './data/rested-storage.ts';
import { type BenchSlice, createBenchSlice } from './features/bench/slice.ts';
import { type CalibrationSlice, createCalibrationSlice } from './features/calibration/slice.ts';
import { createMeasureSlice, type MeasureSlice } from './features/compare/slice.ts';
import { createTasksSlice, type TasksSlice } from './features/frame/tasks-slice.ts';
import { createViewSlice, type ViewSlice } from './features/frame/view-slice.ts';
import { createRunsSlice, type RunsSlice } from './features/history/slice.ts';
import { createMethodsSlice, type MethodsSlice } from './features/methods/slice.ts';
import { type ChosenModel, createModelSlice, type ModelSlice } from './features/model/slice.ts';
import { createRecipeSlice, type RecipeSlice } from './features/plan/slice.ts';
import { createGenerateSlice, type GenerateSlice } from './features/read/slice.ts';
import { createRecoverySlice, type RecoverySlice } from './features/recovery/slice.ts';
import { createShareSlice, type ShareSlice } from './features/share/slice.ts';
import { createTakeAwaySlice, type TakeAwaySlice } from './features/take-away/slice.ts';
import { createZeroShotSlice, type ZeroShotSlice } from './features/tasks/slice.ts';

export type StudioState = ModelSlice &
  BenchSlice &
  RecipeSlice &
  ViewSlice &
  CalibrationSlice &
  MeasureSlice &
  MethodsSlice &
  GenerateSlice &
  TasksSlice &
  ZeroShotSlice &
  RecoverySlice &
  RunsSlice &
  TakeAwaySlice &
  ShareSlice;

/** Steps of undo that outlive a reload. */
const KEPT_STEPS = 30;

/** What a reload brings back as it was: choices, never results and never the reader's text files. */
const KEPT_FIELDS = [
  ...(['recipe', 'themeChoice', 'shownMetric', 'normalisation', 'arrangement', 'perParameter'] as const),
  ...(['calibrationWindows', 'calibrationLength', 'calibrationSeed', 'scorePrecision'] as const),
  ...(['autoMeasure', 'measureWindows', 'measureLength', 'speedTokens', 'speedSeconds', 'comparedMethods'] as const),
  ...(['prompt', 'maxNewTokens', 'temperature', 'generateSeed', 'topK', 'topP', 'repetitionPenalty'] as const),
  ...(['drawer', 'drawerShare', 'curveMethods', 'tourSeen', 'autoRead'] as const),
  ...(['takeFormats', 'ggufType', 'safetensorsType'] as const),
  ...(['taskItems', 'taskThrough', 'taskMethods', 'taskMetric'] as const),
  ...(['recoverMethod', 'recoverLoss', 'recoverSteps', 'recoverRates'] as const),
  ...(['recoverBatch', 'recoverLength', 'recoverSeed', 'recoverDetails'] as const),
  ...(['sideMethods', 'sideRepair', 'sideTraining', 'sideRatios', 'sideSeeds'] as const),
  ...(['repairWindows', 'repairLambda', 'refineWindows', 'refineEvaluations', 'recipePasses'] as const),
] satisfies readonly (keyof StudioState)[];

/** What it brings back in another form. */
const CHANGED_FIELDS = ['chosenModel', 'scoresChoice', 'past', 'future'] satisfies readonly (keyof StudioState)[];

function persisted(state: StudioState): Partial<StudioState> {
  const { chosenModel, scoresChoice, past, future } = state;
  const isStored = chosenModel.kind !== 'files';
  return {
    ...Object.fromEntries(KEPT_FIELDS.flatMap((name) => (state[name] === undefined ? [] : [[name, state[name]]]))),
    ...{ past: past.slice(-KEPT_STEPS), future: future.slice(0, KEPT_STEPS) },
    // Files are gone after a reload; then the page opens with the embedded model again.
    ...(isStored && {
      chosenModel,
      scoresChoice: scoresChoice.kind === 'run' ? shippedScores(chosenModel) : scoresChoice,
    }),
  };
}

/** What a reload may bring back of a kept state: what is written there, and nothing else that bears the name of a field. */
function broughtBack(kept: Partial<StudioState>): Partial<StudioState> {
  const names = new Set<string>([...KEPT_FIELDS, ...CHANGED_FIELDS]);
  return Object.fromEntries(Object.entries(kept).filter(([name]) => names.has(name)));
}

function shippedScores(model: ChosenModel) {
  return { kind: model.kind === 'embedded' ? 'precomputed' : 'none' } as const;
}

/** The page's state: small slices of plain data. What is fetched or computed lives in the query cache. */
export const useStudio = create<StudioState>()(
  persist(
    (...use) => ({
      ...createModelSlice(...use),
      ...createBenchSlice(...use),
      ...createRecipeSlice(...use),
      ...createViewSlice(...use),
      ...createCalibrationSlice(...use),
      ...createMeasureSlice(...use),
      ...createMethodsSlice(...use),
      ...createGenerateSlice(...use),
      ...createTasksSlice(...use),
      ...createZeroShotSlice(...use),
      ...createRecoverySlice(...use),
      ...createRunsSlice(...use),
      ...createTakeAwaySlice(...use),
      ...createShareSlice(...use),
    }),
    {
      ...{ name: 'espalier-studio', version: 1, storage: restedStorage(() => localStorage), partialize: persisted },
      merge: (kept, initial) => ({ ...initial, ...broughtBack(checkedState(kept, initial)) }),
    },
  ),
);

/** Some fields of the state: renders again when one of these changes, and not with every move of a slider. */
export function useStudioFields<Key extends keyof StudioState>(...keys: readonly Key[]): Pick<StudioState, Key> {
  return useStudio(
    useShallow((state) => Object.fromEntries(keys.map((key) => [key, state[key]])) as Pick<StudioState, Key>),
  );
}
