import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { MissingError, UsageError } from '../../../errors.ts';
import type { SpeedComparison } from '../../../evaluate/speed/speed.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import { ratioForSpeed, type SpeedPoint } from '../../../plan/speed-target.ts';
import { studioEngine } from '../../data/engine.ts';
import { useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { measurementKey, useMeasureSettings } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { repairFor } from './repair.ts';

/** Where the curve is measured, unless it is known there. */
const RATIOS = [0.2, 0.4, 0.6];
const PROMPT_TOKENS = 64;

/** What was found for a speed. */
export interface SpeedTarget {
  readonly wanted: number;
  /** Tokens per second of the whole model. */
  readonly whole: number;
  readonly points: readonly SpeedPoint[];
  readonly ratio: number;
}

/** Looks for the smallest ratio that decodes at least so many tokens per second here, by a curve that is measured where it is not known, and makes it the target. */
export function useSpeedTarget() {
  const client = useQueryClient();
  const { data: scores } = useScores();
  const settings = useMeasureSettings();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (wanted: number): Promise<SpeedTarget> => {
      if (!scores) throw new MissingError('There are no scores to plan from. Score the model first.');
      const { beginTask, reportTask, endTask, changeRecipe, recipe } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('speed');
      try {
        const found: (SpeedPoint & { readonly dense: number })[] = [];
        for (const value of RATIOS) {
          const plan = makePlan(scores, { ...recipe, target: { kind: 'ratio', value } });
          const key = measurementKey({ what: 'speed', ratio: ratioKey(plan.ratio) }, scores, recipe, settings);
          const measured =
            client.getQueryData<SpeedComparison>(key) ??
            (await (
              await studioEngine()
            ).speed(
              plan,
              {
                promptTokens: Math.min(PROMPT_TOKENS, settings.measureLength),
                newTokens: settings.speedTokens,
                seconds: settings.speedSeconds,
                repair: await repairFor(client, plan),
              },
              { signal, onProgress: (progress) => reportTask('speed', progress) },
            ));
          client.setQueryData(key, measured);
          found.push({ ratio: plan.ratio, times: measured.decode.value, dense: measured.dense.decode.value });
        }
        const whole = found.reduce((sum, { dense }) => sum + dense, 0) / found.length;
        if (wanted <= whole)
          throw new UsageError(
            `The whole model writes ${whole.toFixed(1)} tokens per second here already. Ask for more, or for another target.`,
          );
        const points = found.map(({ ratio, times }) => ({ ratio, times }));
        const ratio = Math.ceil(1000 * ratioForSpeed(points, wanted / whole)) / 1000;
        changeRecipe({ target: { kind: 'ratio', value: ratio } });
        return { wanted, whole, points, ratio };
      } finally {
        endTask('speed');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
