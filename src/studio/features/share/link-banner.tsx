import { Segmented } from '../../parts/segmented.tsx';
import { useStudio } from '../../store.ts';
import { EMBEDDED_MODEL } from '../model/slice.ts';
import { useModelChoice } from '../model/use-model-choice.ts';
import { recipeLabel } from '../plan/recipe-label.ts';
import { type SharedModel, sharedModel } from './share.ts';

/** What an opened link brought: their recipe or the reader's own, the model that it was made for, and what of it could not be used. */
export function LinkBanner() {
  const opened = useStudio((state) => state.openedLink);
  const showRecipe = useStudio((state) => state.showRecipe);
  const closeLink = useStudio((state) => state.closeLink);
  if (!opened) return null;
  const { link, theirs, shown } = opened;
  return (
    <aside className="link-banner" aria-label="The link that you opened">
      {Object.keys(link.choices).length > 0 ? (
        <>
          <p>The link holds a recipe: {recipeLabel(theirs)}.</p>
          <Segmented
            label="Whose recipe"
            value={shown}
            options={[
              { value: 'theirs', label: 'Their recipe' },
              { value: 'mine', label: 'Mine' },
            ]}
            onChange={showRecipe}
          />
        </>
      ) : (
        <p>The link holds no recipe that can be used. Yours is as it was.</p>
      )}
      {link.refused.map((sentence) => (
        <p key={sentence} role="alert">
          {sentence}
        </p>
      ))}
      {link.model && <MadeFor model={link.model} />}
      <button type="button" className="quiet" onClick={closeLink}>
        Done
      </button>
    </aside>
  );
}

function MadeFor({ model }: { readonly model: SharedModel }) {
  const chosen = useStudio((state) => state.chosenModel);
  const choose = useModelChoice();
  const present = sharedModel(chosen);
  if (present.kind === model.kind && present.name === model.name) return null;
  if (model.kind === 'files')
    return <p>It was made for a model in files, {model.name}, which a link cannot carry: open them from your disk.</p>;
  const open = () =>
    choose(model.kind === 'hub' ? { kind: 'hub', name: model.name } : { kind: 'embedded', id: EMBEDDED_MODEL });
  return (
    <p>
      It was made for {model.name}, and {present.name} is open.{' '}
      <button type="button" className="link" onClick={open}>
        Open {model.name}
      </button>
    </p>
  );
}
