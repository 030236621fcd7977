import { isCancelledError, useQueryClient } from '@tanstack/react-query';
import { CancelledError } from '../../../errors.ts';
import type { ChosenText } from '../../data/text.ts';
import { openNext } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { promptFor } from '../read/slice.ts';
import { type ChosenModel, modelName } from './slice.ts';

/**
 * Puts another model on the bench once it is open: then what belonged to the one before (scores, protected layers, texts) is put away. Where it cannot be opened,
 * the one before stays with all of it, and the state tells why.
 */
export function useModelChoice(): (model: ChosenModel) => void {
  const client = useQueryClient();
  return (model) => {
    const { setRefusedModel } = useStudio.getState();
    setRefusedModel(undefined);
    openNext(client, model).then(
      ({ chat }) => putOnBench(model, chat),
      (error: unknown) => {
        if (!isCancelledError(error) && !(error instanceof CancelledError))
          setRefusedModel({ name: modelName(model), message: error instanceof Error ? error.message : String(error) });
      },
    );
  };
}

function putOnBench(model: ChosenModel, chat: boolean): void {
  const { chooseModel, setCalibration, setPrompt, setRecovery, setRecoveryRun, changeRecipe, ...state } =
    useStudio.getState();
  const { recipe, prompt, calibrationText, recoverText } = state;
  setCalibration({
    scoresChoice: model.kind === 'embedded' ? { kind: 'precomputed' } : { kind: 'none' },
    calibrationText: keptText(calibrationText),
  });
  setPrompt(promptFor(chat, prompt));
  setRecovery({ recovered: undefined, recoverText: keptText(recoverText) });
  setRecoveryRun(undefined);
  if (recipe.protect && recipe.protect.length > 0) changeRecipe({ protect: [] });
  useStudio.setState({ past: [], future: [] });
  chooseModel(model);
}

/** The text for another model: what the model before wrote goes with it. */
function keptText(text: ChosenText): ChosenText {
  return text.kind === 'own' && text.ofModel ? { kind: 'embedded' } : text;
}
