import { useModel, useScores } from '../../data/use-engine.ts';
import { useStudio } from '../../store.ts';
import { type Dtype, sourceDtype } from './source-dtype.ts';

/** The number format of the export: what the reader chose, or the source's. */
export function useDtype(): Dtype {
  const chosen = useStudio((state) => state.recipe.dtype);
  const { data: model } = useModel();
  const { data: scores } = useScores();
  return chosen ?? sourceDtype(model, scores);
}
