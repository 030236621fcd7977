import type { QueryClient } from '@tanstack/react-query';
import type { Plan } from '../../../plan/plan.ts';
import type { Repair } from '../../../worker/engine.ts';
import { textKey } from '../../data/text.ts';
import { readText } from '../../data/use-engine.ts';
import { type StudioState, useStudio } from '../../store.ts';
import type { RecipeChoices } from './slice.ts';

/** The repair that a plan's recipe asks for, with the calibration text that it learns from; undefined for none, and for the dense model (`null`). */
export async function repairFor(client: QueryClient, plan: Plan | null): Promise<Repair | undefined> {
  const compensate = plan?.recipe.compensate ?? 'none';
  if (compensate === 'none') return undefined;
  const { calibrationText, calibrationLength, calibrationSeed, repairWindows, repairLambda } = useStudio.getState();
  const text = await readText(client, calibrationText, 'calibration');
  return {
    compensate,
    text,
    windows: repairWindows,
    length: calibrationLength,
    seed: calibrationSeed,
    lambda: repairLambda,
  };
}

/** What a repair depends on beside its plan: part of the keys of everything that is measured on repaired models. */
export function repairKey(
  state: Pick<
    StudioState,
    'calibrationText' | 'calibrationLength' | 'calibrationSeed' | 'repairWindows' | 'repairLambda'
  >,
): string {
  const { calibrationText, calibrationLength, calibrationSeed, repairWindows, repairLambda } = state;
  return [textKey(calibrationText), calibrationLength, calibrationSeed, repairWindows, repairLambda].join();
}

const NAMES = { none: '', bias: 'bias', 'least-squares': 'least squares' } as const;

/** A recipe's compensation for people: ' + least squares', or nothing. */
export function repairSuffix({ compensate = 'none' }: Pick<RecipeChoices, 'compensate'>): string {
  return compensate === 'none' ? '' : ` + ${NAMES[compensate]}`;
}
