import type { QueryClient } from '@tanstack/react-query';
import type { KeptVocabulary } from '../../../worker/engine.ts';
import { readText } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';

/** The vocabulary that a recipe keeps, with the calibration text that its tokens are chosen by; undefined where all of it stays. */
export async function keptVocabulary(
  client: QueryClient,
  keep: string | undefined,
): Promise<KeptVocabulary | undefined> {
  if (keep === undefined) return undefined;
  const {
    calibrationText,
    calibrationWindows: windows,
    calibrationLength: length,
    calibrationSeed: seed,
  } = useStudio.getState();
  return { keep, text: await readText(client, calibrationText, 'calibration'), windows, length, seed };
}
