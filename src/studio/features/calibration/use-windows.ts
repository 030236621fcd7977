import { keepPreviousData, skipToken, useQuery, useQueryClient } from '@tanstack/react-query';
import { useShallow } from 'zustand/react/shallow';
import { studioEngine } from '../../data/engine.ts';
import { textKey } from '../../data/text.ts';
import { readText, useModel } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { modelKey } from '../model/slice.ts';

/** A page of the calibration windows that a run would draw now, decoded; asks only while `shown`. */
export function useCalibrationWindows(shown: boolean, from: number, count: number) {
  const client = useQueryClient();
  const { data: model } = useModel();
  const {
    calibrationText,
    calibrationWindows: windows,
    calibrationLength: length,
    calibrationSeed: seed,
    chosenModel,
    opening,
  } = useStudio(
    useShallow(({ calibrationText, calibrationWindows, calibrationLength, calibrationSeed, chosenModel, opening }) => ({
      ...{ calibrationText, calibrationWindows, calibrationLength, calibrationSeed, chosenModel, opening },
    })),
  );
  return useQuery({
    queryKey: ['windows', modelKey(chosenModel), opening, textKey(calibrationText), windows, length, seed, from, count],
    queryFn:
      shown && model
        ? async ({ signal }) => {
            const text = await readText(client, calibrationText, 'calibration');
            return (await studioEngine()).windows({ text, windows, length, seed, from, count }, { signal });
          }
        : skipToken,
    placeholderData: keepPreviousData,
  });
}
