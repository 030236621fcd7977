import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import { studioEngine } from '../../data/engine.ts';
import { useStudio } from '../../store.ts';

/** Of a text that is cut into windows again, some tokens fall together. */
const MORE = 1.25;

/** Lets the open model write as much text as the windows of a run need, and chooses it to calibrate on. `cancel` stops it and leaves the choice as it was. */
export function useSample() {
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async (modelName: string) => {
      const { beginTask, reportTask, endTask, setCalibration, ...state } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('sample');
      try {
        const { calibrationWindows, calibrationLength: length, calibrationSeed: seed } = state;
        const engine = await studioEngine();
        const text = await engine.sample(
          { windows: Math.ceil(MORE * calibrationWindows), length, seed },
          { signal, onProgress: (progress) => reportTask('sample', progress) },
        );
        setCalibration({ calibrationText: { kind: 'own', name: `own text of ${modelName}`, text, ofModel: true } });
      } finally {
        endTask('sample');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
