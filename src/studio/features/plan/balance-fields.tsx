import { SEARCHES } from '../../../plan/search/searches.ts';
import { OptionalNumberField } from '../../parts/optional-number-field.tsx';
import { useStudio } from '../../store.ts';

type Balance = { readonly attention?: number; readonly depth?: number };

/** Weights on top of the rank, for searches that take them: attention against MLP, early layers against late ones. Refining finds such weights. */
export function BalanceFields() {
  const balance: Balance = useStudio((state) => state.recipe.balance) ?? {};
  const search = useStudio((state) => state.recipe.search);
  const changeRecipe = useStudio((state) => state.changeRecipe);
  if (!SEARCHES.find(({ name }) => name === search)?.balanced) return null;
  const set = (name: keyof Balance, value: number | undefined) => {
    const { [name]: _, ...others } = balance;
    const next = value === undefined ? others : { ...others, [name]: value };
    changeRecipe({ balance: Object.keys(next).length > 0 ? next : undefined });
  };
  return (
    <>
      <OptionalNumberField
        label="Attention counts"
        value={balance.attention}
        {...{ min: 0.01, max: 100, step: 'any', placeholder: '1' }}
        hint="times as much as MLP"
        onChange={(value) => set('attention', value)}
      />
      <OptionalNumberField
        label="Tilt over depth"
        value={balance.depth}
        {...{ min: -8, max: 8, step: 'any', placeholder: '0' }}
        hint="above 0 keeps late layers"
        onChange={(value) => set('depth', value)}
      />
    </>
  );
}
