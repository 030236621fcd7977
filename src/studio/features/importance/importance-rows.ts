import { groupTable } from '../../../importance/structures/group-table.ts';
import { MODULES } from '../../../importance/structures/structures.ts';
import type { Metric, Scores } from '../../../importance/sums/scores.ts';
import { groupNoun } from '../../../plan/kinds.ts';
import { fusedImportance, metricScores } from '../../../plan/metric.ts';
import type { LayerPlan } from '../../../plan/plan.ts';
import type { HeatmapRow } from '../../charts/heatmap-layout.ts';
import type { RecipeChoices } from '../plan/slice.ts';

/**
 * What the heatmap shows per layer: the recipe's importance (fused where it fuses) or one metric, per parameter of the group where asked for.
 * Throws as `fusedImportance` and `metricScores` do.
 */
export function importanceRows(
  scores: Scores,
  shown: Metric | 'recipe',
  recipe: Pick<RecipeChoices, 'metric' | 'fusion' | 'fusionScope' | 'seed'>,
  perParameter: boolean,
): HeatmapRow[] {
  const table = groupTable(scores.groups);
  const { metric = 'element-second+fisher', fusion = 'shared', fusionScope: scope = 'model', seed = 0 } = recipe;
  const values =
    shown === 'recipe'
      ? fusedImportance(scores, table, { metric, fusion, scope, seed })
      : metricScores(scores, table, shown, seed);
  const rows = scores.groups.map((groups) => ({
    attention: new Float32Array(),
    mlp: new Float32Array(),
    ...((groups.convolution || groups.mlp.experts) && {
      nouns: { attention: groupNoun(groups, 'attention'), mlp: groupNoun(groups, 'mlp') },
    }),
  }));
  for (const { layer, module, start, end, parametersPerGroup } of table.segments) {
    const row = rows[layer];
    // A layer convolves in place of attending, so that its channels stand where others have their heads.
    if (row && end > start)
      row[module === 'mlp' ? 'mlp' : 'attention'] = Float32Array.from(values.subarray(start, end), (value) =>
        perParameter ? value / parametersPerGroup : value,
      );
  }
  return rows;
}

/** A plan's layers as the rows show them: channels of a convolution where other layers have their heads. */
export function shownLayers(layers: readonly LayerPlan[]): readonly ShownLayer[] {
  if (layers.every(({ convolution }) => convolution === undefined)) return layers;
  const known = shown.get(layers);
  const made = known ?? layers.map(({ attention, convolution, mlp }) => ({ attention: convolution ?? attention, mlp }));
  shown.set(layers, made);
  return made;
}

type ShownLayer = Pick<LayerPlan, 'attention' | 'mlp'>;

/** The same rows for the same plan, so that nothing is drawn anew without need. */
const shown = new WeakMap<readonly LayerPlan[], readonly ShownLayer[]>();

/** Metrics that every layer of a score file has, for all of its groups, in the order of the file's definition. */
export function presentMetrics(scores: Scores, all: readonly Metric[]): Metric[] {
  return all.filter((metric) =>
    scores.layers.every((modules, layer) =>
      MODULES.every((module) => !scores.groups[layer]?.[module]?.groups || modules[module]?.[metric] !== undefined),
    ),
  );
}
