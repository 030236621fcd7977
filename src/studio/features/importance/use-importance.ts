import { useMemo } from 'react';
import { useShallow } from 'zustand/react/shallow';
import { METRICS, type Scores } from '../../../importance/sums/scores.ts';
import { heatColours } from '../../charts/heat-scale.ts';
import { normalisedScale } from '../../charts/normalise.ts';
import { useStudio } from '../../store.ts';
import { useTheme } from '../frame/use-theme.ts';
import { importanceRows, presentMetrics } from './importance-rows.ts';

/** What the map shows of the scores, and its colours. */
export function useImportance(scores: Scores) {
  const { shownMetric, normalisation, perParameter } = useStudio(
    useShallow(({ shownMetric, normalisation, perParameter }) => ({ shownMetric, normalisation, perParameter })),
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
  return {
    ...{ rows, scale, theme, colours, metrics, shown, metric },
    unit: perParameter ? 'importance per parameter' : 'importance',
  };
}
