import { useShallow } from 'zustand/react/shallow';
import type { Scores } from '../../../importance/sums/scores.ts';
import { HEAT_WORDS } from '../../charts/heat-scale.ts';
import { Heatmap } from '../../charts/heatmap.tsx';
import { LayerShares } from '../../charts/layer-shares.tsx';
import { useScores } from '../../data/use-engine.ts';
import { Term } from '../../parts/term.tsx';
import { groupMeaning } from '../../parts/terms.ts';
import { useStudio } from '../../store.ts';
import { useTheme } from '../frame/use-theme.ts';
import { usePlan, usePlanSummary } from '../plan/use-plan.ts';
import { HeatFoot } from './heat-foot.tsx';
import { shownLayers } from './importance-rows.ts';
import { ImportanceTable } from './importance-table.tsx';
import { LayerLabels } from './layer-labels.tsx';
import { LayerZoom } from './layer-zoom.tsx';
import { Unscored } from './unscored.tsx';
import { useImportance } from './use-importance.ts';
import { useRowRoom } from './use-row-room.ts';
import { ViewSheet } from './view-sheet.tsx';

/** Heights in pixels that legend and histogram need below the rows, of which the histogram's bars are a part. */
const FOOT = { smallest: 150, words: 54, largestBars: 220 } as const;
/** Room that the columns beside the map take. */
const SHARES = { narrow: 36, wide: 84, from: 640 } as const;

/** The heatmap, with what the plan removes drawn on it. It takes the room that it is given. */
export function ImportancePanel() {
  const { data: scores } = useScores();
  const { needed } = HEAT_WORDS[useTheme()];
  const isFilling = useStudio(({ scoredLayers }) => scoredLayers.size > 0);
  return (
    <section className="importance" id="importance" aria-label="Importance">
      <header className="importance-head">
        <h2>Which parts matter</h2>
        {(scores || isFilling) && (
          <p className="soft small importance-hint">
            {needed} = needed · {scores && 'hatched = goes · '}click a number to keep a layer
          </p>
        )}
        {scores && <ViewSheet scores={scores} />}
      </header>
      {scores ? <ImportanceView scores={scores} /> : <Unscored />}
    </section>
  );
}

function ImportanceView({ scores }: { readonly scores: Scores }) {
  const { rows, scale, theme, colours, unit } = useImportance(scores);
  const toggleProtected = useStudio((state) => state.toggleProtected);
  const { arrangement, asTable, cursor, setView } = useStudio(
    useShallow(({ arrangement, asTable, cursor, setView }) => ({ arrangement, asTable, cursor, setView })),
  );
  const outcome = usePlan();
  const summary = usePlanSummary();
  const plan = outcome?.ok ? shownLayers(outcome.plan.layers) : undefined;
  const convolves = scores.groups.some(({ convolution }) => convolution);
  const { ref, width, rowHeight, spare } = useRowRoom(rows.length);
  return (
    <>
      <section
        className="importance-body"
        ref={ref}
        aria-label="Map of layers"
        tabIndex={spare < 0 || asTable ? 0 : -1}
      >
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
              rowHeight={rowHeight}
              attentionTitle={
                <Term
                  meaning={`A group of this model is ${groupMeaning(scores)}${convolves ? '; of a layer that convolves, one channel' : ''}. It stays or goes as a whole.`}
                >
                  {convolves ? 'Attention, convolution' : 'Attention'}
                </Term>
              }
              cursor={cursor}
              onCursor={(cell) => setView({ cursor: cell })}
              onProtect={toggleProtected}
              onChoose={(layer, module, centre) => setView({ zoom: { layer, module, centre } })}
            />
            <div className="heat-shares">
              <span className="heat-shares-head" aria-hidden="true">
                goes
              </span>
              {summary && (
                <LayerShares
                  shares={summary.layers}
                  rowHeight={rowHeight}
                  width={width >= SHARES.from ? SHARES.wide : SHARES.narrow}
                />
              )}
            </div>
          </div>
        )}
        {!asTable && spare >= FOOT.smallest && (
          <HeatFoot {...{ rows, plan, scale, colours, unit }} height={Math.min(FOOT.largestBars, spare - FOOT.words)} />
        )}
      </section>
      <LayerZoom groups={scores.groups} rows={rows} plan={plan} scale={scale} colours={colours} />
    </>
  );
}
