import { useState } from 'react';
import type { Scores } from '../../../importance/sums/scores.ts';
import { NORMALISATIONS } from '../../charts/normalise.ts';
import { Segmented } from '../../parts/segmented.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { Sheet } from '../../parts/sheet.tsx';
import { useStudioFields } from '../../store.ts';
import { usePlan } from '../plan/use-plan.ts';
import { HeatFoot } from './heat-foot.tsx';
import { shownLayers } from './importance-rows.ts';
import { useImportance } from './use-importance.ts';

const NORMALISATION_LABELS = { log: 'Log', linear: 'Linear', rank: 'Rank' } as const;

/** How the map is drawn: which metric, in which order, on which colours; and its legend. */
export function ViewSheet({ scores }: { readonly scores: Scores }) {
  const [open, setOpen] = useState(false);
  return (
    <Sheet label="View" chip="View" chipClass="quiet view-chip" align="right" open={open} onOpen={setOpen}>
      <ViewFields scores={scores} />
    </Sheet>
  );
}

function ViewFields({ scores }: { readonly scores: Scores }) {
  const { rows, scale, colours, metrics, shown, metric, unit } = useImportance(scores);
  const { normalisation, arrangement, perParameter, asTable, setView } = useStudioFields(
    'normalisation',
    'arrangement',
    'perParameter',
    'asTable',
    'setView',
  );
  const outcome = usePlan();
  return (
    <div className="view-fields">
      <div className="fields">
        <Segmented
          label="Map or table"
          value={asTable ? 'table' : 'map'}
          options={[
            { value: 'map', label: 'Map' },
            { value: 'table', label: 'Table' },
          ]}
          onChange={(value) => setView({ asTable: value === 'table' })}
        />
        <Segmented
          label="Order of groups"
          value={arrangement}
          options={[
            { value: 'sorted', label: 'Sorted' },
            { value: 'place', label: 'In place' },
          ]}
          onChange={(value) => setView({ arrangement: value })}
        />
        <Segmented
          label="Colour scale"
          value={normalisation}
          options={NORMALISATIONS.map((value) => ({ value, label: NORMALISATION_LABELS[value] }))}
          onChange={(value) => setView({ normalisation: value })}
        />
      </div>
      <div className="fields">
        <SelectField
          label="Metric"
          value={shown}
          options={[
            { value: 'recipe', label: `the recipe's own (${metric})` },
            ...metrics.map((name) => ({ value: name, label: name })),
          ]}
          onChange={(value) => setView({ shownMetric: value })}
        />
        <label className="check">
          <input
            type="checkbox"
            checked={perParameter}
            onChange={(event) => setView({ perParameter: event.target.checked })}
          />
          per parameter
        </label>
      </div>
      <HeatFoot
        rows={rows}
        plan={outcome?.ok ? shownLayers(outcome.plan.layers) : undefined}
        scale={scale}
        colours={colours}
        unit={unit}
      />
    </div>
  );
}
