import { useModel, useScores } from '../../data/use-engine.ts';
import { formatBytes, formatCount, formatPercent } from '../../parts/format.ts';
import { Sheet } from '../../parts/sheet.tsx';
import { useStudio } from '../../store.ts';
import { sourceDtype } from '../take-away/source-dtype.ts';
import { ModelPanel } from './panel.tsx';

/** The model on the bench as a chip; opens to its facts and to other models. */
export function ModelSheet() {
  const { data: scores } = useScores();
  const { data: model, error } = useModel();
  const chosen = useStudio((state) => state.chosenModel);
  const sheet = useStudio((state) => state.sheet);
  const setBench = useStudio((state) => state.setBench);
  const progress = useStudio(({ tasks }) => tasks.model?.progress);
  const name = model?.name ?? scores?.model.name ?? (chosen.kind === 'embedded' ? chosen.id : chosen.name);
  const parameters = model?.parameters ?? scores?.model.parameters;
  const details = [
    parameters && formatCount(parameters),
    model && `${sourceDtype(model, scores)} ${formatBytes(model.bytes)}`,
    !model &&
      (error
        ? 'not open'
        : progress?.total
          ? `opening ${formatPercent(progress.completed / progress.total)}`
          : 'opening'),
  ].filter(Boolean);
  return (
    <Sheet
      label="Model on the bench"
      className="sheet-model"
      chip={
        <>
          <span className="visually-hidden">Model: </span>
          <strong className="chip-name">{name}</strong>
          <span className="chip-detail">{details.join(' · ')}</span>
          <span className="chevron" aria-hidden="true" />
        </>
      }
      open={sheet === 'model'}
      onOpen={(open) => (open || sheet === 'model') && setBench({ sheet: open ? 'model' : undefined })}
    >
      <ModelPanel />
    </Sheet>
  );
}
