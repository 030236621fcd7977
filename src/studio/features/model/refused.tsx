import { Notice } from '../../parts/notice.tsx';
import { useStudio } from '../../store.ts';
import { modelName } from './slice.ts';

/** Why what was to be opened was not: the model before is still there. In sight wherever the reader dropped or chose it. */
export function Refused() {
  const refused = useStudio((state) => state.refusedModel);
  const chosen = useStudio((state) => state.chosenModel);
  const setRefusedModel = useStudio((state) => state.setRefusedModel);
  if (!refused) return null;
  return (
    <aside className="link-banner" aria-label="What could not be opened">
      <Notice kind="error">{`${refused.name} was not opened, and ${modelName(chosen)} stays. ${refused.message}`}</Notice>
      <button type="button" className="quiet" onClick={() => setRefusedModel(undefined)}>
        Done
      </button>
    </aside>
  );
}
