import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef } from 'react';
import { studioEngine } from '../../data/engine.ts';
import { keepScores } from '../../data/session.ts';
import { readText } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { modelKey } from '../model/slice.ts';

/** Scores the model on the chosen calibration text; the result replaces what the page works from. `cancel` stops it and keeps the scores as they were. */
export function useScoreRun() {
  const client = useQueryClient();
  const controller = useRef<AbortController>(undefined);
  const mutation = useMutation({
    mutationFn: async () => {
      const { beginTask, reportTask, endTask, setCalibration, ...state } = useStudio.getState();
      controller.current = new AbortController();
      const { signal } = controller.current;
      beginTask('score');
      try {
        const { calibrationText } = state;
        const text = await readText(client, calibrationText, 'calibration');
        const source = calibrationText.kind === 'own' ? calibrationText.name : 'calibration.txt';
        const { calibrationWindows: windows, calibrationLength: length, calibrationSeed: seed } = state;
        const { scorePrecision: precision } = state;
        const engine = await studioEngine();
        const scores = await engine.score(
          { text, source, windows, length, seed, precision },
          {
            signal,
            onProgress: (progress) => reportTask('score', progress),
            onLayer: (layer, done) =>
              setCalibration({ scoredLayers: new Map(useStudio.getState().scoredLayers).set(layer, done) }),
          },
        );
        const run = Date.now();
        client.setQueryData(['scores', 'run', run], scores);
        setCalibration({ scoresChoice: { kind: 'run', run } });
        void keepScores(modelKey(state.chosenModel), run, scores);
        return scores;
      } finally {
        setCalibration({ scoredLayers: new Map() });
        endTask('score');
      }
    },
  });
  return { ...mutation, cancel: () => controller.current?.abort() };
}
