import { METHODS } from '../../../plan/methods/methods.ts';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio } from '../../store.ts';

const OWN = 'own mix';

/** A method by name: sets what to rank by and how to search. Says so when the two are the reader's own mix. */
export function MethodField() {
  const recipe = useStudio((state) => state.recipe);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const named = METHODS.find(({ metric, search }) => metric === recipe.metric && search === recipe.search);
  const options = METHODS.map(({ name }) => ({ value: name, label: name }));
  return (
    <SelectField
      label="Method"
      value={named?.name ?? OWN}
      options={named ? options : [{ value: OWN, label: OWN }, ...options]}
      onChange={(name) => {
        const method = METHODS.find((candidate) => candidate.name === name);
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
