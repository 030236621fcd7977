import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import { makePlan } from '../../../plan/make-plan.ts';
import { studioEngine } from '../../data/engine.ts';
import { useStudio } from '../../store.ts';
import { INITIAL_RECIPE } from '../plan/slice.ts';
import type { DeviceReport } from './report.ts';

/** Shares at which decoding is held against the dense model. */
const RATIOS = [0.2, 0.5] as const;
const SPEED = { promptTokens: 64, newTokens: 32, seconds: 15 } as const;

/** Measures what the engine computes on: matrix products first, then tokens of the open model, dense and pruned in turn. */
export function useDeviceRun() {
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (scores: Scores | undefined): Promise<DeviceReport> => {
      const { beginTask, reportTask, endTask } = useStudio.getState();
      controller.current = new AbortController();
      const options = {
        signal: controller.current.signal,
        onProgress: (progress: Parameters<typeof reportTask>[1]) => reportTask('device', progress),
      };
      beginTask('device');
      try {
        const engine = await studioEngine();
        const facts = await engine.device(options);
        const speeds: DeviceReport['speeds'][number][] = [];
        for (const ratio of scores ? RATIOS : []) {
          if (!scores) break;
          const plan = makePlan(scores, { ...INITIAL_RECIPE, target: { kind: 'ratio', value: ratio } });
          speeds.push({ ratio, speed: await engine.speed(plan, SPEED, options) });
        }
        const { hardwareConcurrency: cores, userAgent } = globalThis.navigator;
        return {
          ...{ date: new Date().toISOString().slice(0, 10), model: scores?.model.name },
          browser: { userAgent, cores, isolated: globalThis.crossOriginIsolated },
          ...{ facts, speeds },
        };
      } finally {
        endTask('device');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
