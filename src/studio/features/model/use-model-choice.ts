import { useQueryClient } from '@tanstack/react-query';
import { useStudio } from '../../store.ts';
import type { ChosenModel } from './slice.ts';

/** Puts another model on the bench: what belonged to the one before (scores, protected layers, texts) is put away. */
export function useModelChoice(): (model: ChosenModel) => void {
  const client = useQueryClient();
  return (model) => {
    const { chooseModel, setCalibration, setPane, setRecovery, setRecoveryRun, changeRecipe, recipe } =
      useStudio.getState();
    void client.cancelQueries({ queryKey: ['model'] });
    setCalibration({ scoresChoice: model.kind === 'embedded' ? { kind: 'precomputed' } : { kind: 'none' } });
    setPane('dense', { status: 'idle' });
    setPane('pruned', { status: 'idle' });
    setPane('recovered', { status: 'idle' });
    setRecovery({ recovered: undefined });
    setRecoveryRun(undefined);
    if (recipe.protect && recipe.protect.length > 0) changeRecipe({ protect: [] });
    useStudio.setState({ past: [], future: [] });
    chooseModel(model);
  };
}
