import { type QueryKey, skipToken, useMutation, useQueries, useQueryClient } from '@tanstack/react-query';
import { useMemo, useRef } from 'react';
import { CancelledError } from '../../../errors.ts';
import type { ComparisonRow } from '../../../library/comparison/types.ts';
import type { ComparedCell } from '../../../worker/engine.ts';
import { studioEngine } from '../../data/engine.ts';
import { textKey } from '../../data/text.ts';
import { readText } from '../../data/use-engine.ts';
import { type StudioState, useStudio, useStudioFields } from '../../store.ts';
import { LARGEST_RATIO } from '../curve/ratio-slider.tsx';
import { numbersOf } from './slice.ts';

/** A method with what follows its name, a ratio, and a seed. */
export interface SideCell {
  readonly method: string;
  readonly ratio: number;
  readonly seed: number;
}

/** The cells that are asked for, a ratio after the other; none where ratios or seeds cannot be read. */
function sideCells({
  sideMethods,
  sideRepair,
  sideTraining,
  sideRatios,
  sideSeeds,
}: Pick<StudioState, 'sideMethods' | 'sideRepair' | 'sideTraining' | 'sideRatios' | 'sideSeeds'>): SideCell[] {
  const ratios = numbersOf(sideRatios, (percent) => percent > 0 && percent <= 100 * LARGEST_RATIO) ?? [];
  const seeds = numbersOf(sideSeeds, (seed) => Number.isSafeInteger(seed) && seed >= 0) ?? [];
  return ratios.flatMap((percent) =>
    sideMethods.flatMap((name) =>
      seeds.map((seed) => ({ method: `${name}${sideRepair}${sideTraining}`, ratio: percent / 100, seed })),
    ),
  );
}

/** Everything that a cell depends on beside itself, as it is chosen in the other drawers. */
function settingsOf(state: StudioState) {
  const { calibrationText, calibrationWindows, calibrationLength, repairWindows, refineWindows } = state;
  const { measureText, measureWindows, measureLength } = state;
  const { recoverText, recoverLength, recoverSteps, recoverBatch, recoverMethod, recoverDetails } = state;
  return {
    ...{ calibrationText, calibrationWindows, calibrationLength, repairWindows, refineWindows },
    ...{ measureText, measureWindows, measureLength },
    ...{ recoverText, recoverLength, recoverSteps, recoverBatch, recoverMethod, recoverDetails },
  };
}

function cellKey({ method, ratio, seed }: SideCell, state: StudioState): QueryKey {
  const { calibrationText, measureText, recoverText, ...numbers } = settingsOf(state);
  const texts = [calibrationText, measureText, ...(method.match(/\+(lora|group-wise)$/) ? [recoverText] : [])];
  return ['side', state.opening, texts.map(textKey), JSON.stringify(numbers), method, ratio, seed];
}

/** Rows of the cells that were measured, in the order of the cells. */
export function useSideRows(): { readonly cells: readonly SideCell[]; readonly rows: readonly ComparisonRow[] } {
  const chosen = useStudioFields('sideMethods', 'sideRepair', 'sideTraining', 'sideRatios', 'sideSeeds');
  const cells = useMemo(() => sideCells(chosen), [chosen]);
  const keys = useStudio((state) => JSON.stringify(cells.map((cell) => cellKey(cell, state))));
  const found = useQueries({
    queries: (JSON.parse(keys) as QueryKey[]).map((queryKey) => ({
      ...{ queryKey, gcTime: Number.POSITIVE_INFINITY },
      queryFn: skipToken as typeof skipToken | (() => ComparisonRow),
    })),
  });
  return { cells, rows: found.flatMap(({ data }) => data ?? []) };
}

/** Measures cell after cell, so that other work goes between two of them. What is finished stays when it is stopped. */
export function useSideBySide() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async () => {
      const state = useStudio.getState();
      const { beginTask, reportTask, endTask } = state;
      controller.current = new AbortController();
      const { signal } = controller.current;
      const settings = settingsOf(state);
      beginTask('comparison');
      try {
        const engine = await studioEngine();
        const text = await readText(client, settings.calibrationText, 'calibration');
        const measured = await readText(client, settings.measureText, 'evaluation');
        const training = await readText(client, settings.recoverText, 'calibration');
        const cells = sideCells(state);
        for (const [index, cell] of cells.entries()) {
          const key = cellKey(cell, state);
          if (client.getQueryData(key) !== undefined) continue;
          if (signal.aborted) throw new CancelledError();
          const name = `${cell.method}, ${100 * cell.ratio}%, seed ${cell.seed}`;
          const request: ComparedCell = {
            ...cell,
            calibration: {
              ...{ text, windows: settings.calibrationWindows, length: settings.calibrationLength },
              source: settings.calibrationText.kind === 'own' ? settings.calibrationText.name : 'stories, shipped',
            },
            ...{ repairWindows: settings.repairWindows, measureWindows: settings.refineWindows },
            measured: { text: measured, windows: settings.measureWindows, length: settings.measureLength },
            training: {
              ...{ ...settings.recoverDetails, text: training, length: settings.recoverLength },
              ...{ steps: settings.recoverSteps, batchWindows: settings.recoverBatch },
              bits: settings.recoverMethod === 'group-wise-8' ? 8 : 4,
            },
          };
          const row = await engine.compareCell(request, {
            signal,
            onProgress: (progress) =>
              reportTask('comparison', {
                ...progress,
                stage: `${index + 1} of ${cells.length}: ${name}, ${progress.stage}`,
              }),
          });
          client.setQueryDefaults(key, { gcTime: Number.POSITIVE_INFINITY });
          client.setQueryData(key, row);
        }
      } finally {
        endTask('comparison');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
