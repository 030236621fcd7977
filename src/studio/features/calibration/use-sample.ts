import { useMutation } from '@tanstack/react-query';
import { useRef } from 'react';
import { studioEngine } from '../../data/engine.ts';
import type { ChosenText } from '../../data/text.ts';
import { useStudio } from '../../store.ts';

/** Of a text that is cut into windows again, some tokens fall together. */
const MORE = 1.25;

/** Lets the open model write as much text as the windows of a run need, and chooses it to calibrate on; a model that is none of ours also to train on, in place of our stories. `cancel` stops it and leaves the choice as it was. */
export function useSample() {
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async () => {
      const { beginTask, reportTask, endTask, setCalibration, setRecovery, ...state } = useStudio.getState();
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
        const own: ChosenText = { kind: 'own', name: 'its own text', text, ofModel: true };
        setCalibration({ calibrationText: own });
        if (state.chosenModel.kind !== 'embedded' && state.recoverText.kind === 'embedded')
          setRecovery({ recoverText: own });
      } finally {
        endTask('sample');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
