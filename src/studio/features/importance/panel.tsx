import { useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { METRICS, type Scores } from '../../../importance/sums/scores.ts';
import { heatColours } from '../../charts/heat-scale.ts';
import { Heatmap } from '../../charts/heatmap.tsx';
import { heatmapRowHeight } from '../../charts/heatmap-layout.ts';
import { LayerShares } from '../../charts/layer-shares.tsx';
import { HeatLegend } from '../../charts/legend.tsx';
import { NORMALISATIONS, normalisedScale } from '../../charts/normalise.ts';
import { useScores } from '../../data/use-engine.ts';
import { Panel } from '../../parts/panel.tsx';
import { Segmented } from '../../parts/segmented.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { useStudio } from '../../store.ts';
import { useTheme } from '../frame/use-theme.ts';
import { usePlan, usePlanSummary } from '../plan/use-plan.ts';
import { importanceRows, presentMetrics } from './importance-rows.ts';
import { ImportanceTable } from './importance-table.tsx';
import { LayerLabels } from './layer-labels.tsx';
import { LayerZoom } from './layer-zoom.tsx';
import { ScoreHistogram } from './score-histogram.tsx';

const NORMALISATION_LABELS = { log: 'Log', linear: 'Linear', rank: 'Rank' } as const;

/** The heatmap with its controls, what the plan removes drawn on it, and the histogram. */
export function ImportancePanel() {
  const { data: scores, isLoading } = useScores();
  const asTable = useStudio((state) => state.asTable);
  const setView = useStudio((state) => state.setView);
  return (
    <Panel
      id="importance"
      title="Importance"
      hint="What the loss would lose with each group. Hatched groups go."
      aside={
        <Segmented
          label="View"
          value={asTable ? 'table' : 'map'}
          options={[
            { value: 'map', label: 'Map' },
            { value: 'table', label: 'Table' },
          ]}
          onChange={(value) => setView({ asTable: value === 'table' })}
        />
      }
    >
      {scores ? <ImportanceView scores={scores} /> : <EmptyHeatmap pending={isLoading} />}
    </Panel>
  );
}

function ImportanceView({ scores }: { readonly scores: Scores }) {
  const { shownMetric, normalisation, arrangement, perParameter, asTable, cursor, setView } = useStudio(
    useShallow(({ shownMetric, normalisation, arrangement, perParameter, asTable, cursor, setView }) => ({
      ...{ shownMetric, normalisation, arrangement, perParameter, asTable, cursor, setView },
    })),
  );
  const { metric, fusion, fusionScope, seed } = useStudio(
    useShallow(({ recipe: { metric, fusion, fusionScope, seed } }) => ({ metric, fusion, fusionScope, seed })),
  );
  const metrics = useMemo(() => presentMetrics(scores, METRICS), [scores]);
  const shown = shownMetric === 'recipe' || metrics.includes(shownMetric) ? shownMetric : 'recipe';
  const rows = useMemo(
    () =>
      importanceRows(
        scores,
        shown,
        {
          ...(metric && { metric }),
          ...(fusion && { fusion }),
          ...(fusionScope && { fusionScope }),
          ...(seed !== undefined && { seed }),
        },
        perParameter,
      ),
    [scores, shown, metric, fusion, fusionScope, seed, perParameter],
  );
  const scale = useMemo(
    () =>
      normalisedScale(
        normalisation,
        rows.flatMap((row) => [row.attention, row.mlp]),
      ),
    [normalisation, rows],
  );
  const theme = useTheme();
  const colours = useMemo(() => heatColours(theme), [theme]);
  const outcome = usePlan();
  const summary = usePlanSummary();
  const plan = outcome?.ok ? outcome.plan.layers : undefined;
  const rowHeight = heatmapRowHeight(rows.length);
  const unit = perParameter ? 'importance per parameter' : 'importance';
  return (
    <>
      <div className="heat-controls">
        <SelectField
          label="Metric"
          value={shown}
          options={[
            { value: 'recipe', label: `plan's own (${metric})` },
            ...metrics.map((name) => ({ value: name, label: name })),
          ]}
          onChange={(value) => setView({ shownMetric: value })}
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
        <label className="check">
          <input
            type="checkbox"
            checked={perParameter}
            onChange={(event) => setView({ perParameter: event.target.checked })}
          />
          per parameter
        </label>
      </div>
      {asTable ? (
        <ImportanceTable rows={rows} plan={plan} />
      ) : (
        <div className="heat-grid">
          <LayerLabels layers={rows.length} rowHeight={rowHeight} />
          <Heatmap
            rows={rows}
            plan={plan}
            scale={scale}
            arrangement={arrangement}
            theme={theme}
            cursor={cursor}
            onCursor={(cell) => setView({ cursor: cell })}
            onChoose={(layer, module, centre) => setView({ zoom: { layer, module, centre } })}
          />
          <div className="heat-shares">
            <span className="heat-shares-head" aria-hidden="true">
              removed
            </span>
            {summary && <LayerShares shares={summary.layers} rowHeight={rowHeight} width={84} />}
          </div>
        </div>
      )}
      <LayerZoom rows={rows} plan={plan} scale={scale} colours={colours} />
      <div className="heat-foot">
        <figure>
          <figcaption>{unit}</figcaption>
          <HeatLegend scale={scale} colours={colours} title={unit} width={260} />
        </figure>
        <p className="legend-cut">
          <span>
            <span className="swatch-cut" aria-hidden="true" /> goes
          </span>
          <span>
            <span className="swatch-bands" aria-hidden="true" /> largest, mean, smallest of a bin
          </span>
        </p>
        <ScoreHistogram rows={rows} plan={plan} unit={unit} />
      </div>
    </>
  );
}

/** Keeps the place of the heatmap while scores load, so that nothing jumps. */
function EmptyHeatmap({ pending }: { readonly pending: boolean }) {
  return (
    <div className="heat-empty">
      <p className="soft">
        {pending ? 'Loading the scores…' : 'No scores yet. Score the model above to see which groups matter.'}
      </p>
    </div>
  );
}
