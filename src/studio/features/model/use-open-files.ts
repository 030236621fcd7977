import { useQueryClient } from '@tanstack/react-query';
import { MissingError } from '../../../errors.ts';
import { decodePlanFor } from '../../../plan/plan-file.ts';
import type { PickedFile } from '../../../worker/engine.ts';
import { keepScores } from '../../data/session.ts';
import { useModel, useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { rememberFiles } from './picked-files.ts';
import { checkScoresFit, readFiles } from './read-files.ts';
import { modelKey } from './slice.ts';
import { useModelChoice } from './use-model-choice.ts';

/** Opens files that the reader picked or dropped, whatever they are: a model, a recipe, plan or scores. Why they cannot be used is told where refused models are. */
export function useOpenFiles(): (files: readonly PickedFile[]) => Promise<void> {
  const client = useQueryClient();
  const choose = useModelChoice();
  const { data: model } = useModel();
  const { data: scores } = useScores();
  return async (files) => {
    if (files.length === 0) return;
    const { setRefusedModel, openLink, adoptPlan, setCalibration, chosenModel } = useStudio.getState();
    setRefusedModel(undefined);
    try {
      const read = await readFiles(files);
      switch (read.kind) {
        case 'model':
          return choose({ kind: 'files', key: rememberFiles(read.files), name: read.name });
        case 'recipe':
          return openLink({ ...read.recipe, model: undefined });
        case 'plan': {
          if (!scores)
            throw new MissingError(`${read.name} is a plan, and this model is not scored yet. Score it first.`);
          const { groups, model: of } = scores;
          const plan = decodePlanFor(read.bytes, { parameters: of.parameters, groups }, read.name);
          return adoptPlan(plan, of.sha256, read.name);
        }
        case 'scores': {
          if (model) checkScoresFit(read.scores, model.layers, read.name);
          const run = Date.now();
          client.setQueryData(['scores', 'run', run], read.scores);
          setCalibration({ scoresChoice: { kind: 'run', run } });
          void keepScores(modelKey(chosenModel), run, read.scores);
        }
      }
    } catch (error) {
      const [{ path } = { path: 'The files' }] = files;
      setRefusedModel({ name: path, message: error instanceof Error ? error.message : String(error) });
    }
  };
}
