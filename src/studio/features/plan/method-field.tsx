import type { Scores } from '../../../importance/sums/scores.ts';
import { methodNamed, SCORE_METHODS } from '../../../plan/methods/methods.ts';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio } from '../../store.ts';
import { offeredMethods } from './offered-methods.ts';

const OWN = 'own mix';

/** A method by name, of those that the scores have the metrics for: sets what to rank by and how to search. Says so when the two are the reader's own mix. */
export function MethodField({ scores }: { readonly scores: Scores | undefined }) {
  const recipe = useStudio((state) => state.recipe);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const named = methodNamed(recipe);
  const options = offeredMethods(scores, (method) => method === named).map(({ name }) => ({
    value: name,
    label: name,
  }));
  return (
    <SelectField
      label="Method"
      value={named?.name ?? OWN}
      options={named ? options : [{ value: OWN, label: OWN }, ...options]}
      onChange={(name) => {
        const method = SCORE_METHODS.find((candidate) => candidate.name === name);
        // What was tuned for another method goes with it.
        if (method)
          changeRecipe({
            metric: method.metric,
            search: method.search,
            fusion: method.fusion ?? 'shared',
            fusionScope: method.fusionScope ?? 'model',
            ...{ gamma: undefined, stability: undefined, balance: undefined },
          });
      }}
    />
  );
}
