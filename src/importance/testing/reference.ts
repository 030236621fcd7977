import { existsSync, readFileSync } from 'node:fs';
import type { LayerPlan } from '../../plan/plan.ts';
import type { LayerGroups } from '../structures/structures.ts';
import { METRICS, type Scores } from '../sums/scores.ts';

/** The reference values of a small model, made in float64 with PyTorch (their README describes the keys). */
export interface Reference {
  readonly scores: Scores;
  /** By key ('fused-shared vector+element-first', …): values of all groups in the table's order. */
  readonly extra: (key: string) => Float64Array;
  readonly plans: readonly {
    readonly fusion: string;
    readonly search: string;
    readonly ratio: number;
    readonly removedParameters: number;
    readonly layers: readonly LayerPlan[];
  }[];
}

type Values = Readonly<Record<string, readonly number[]>>;
interface ReferenceLayer {
  readonly attention: Values;
  readonly mlp: Values;
}

const FOLDER = '../shared/data/reference';
export const REFERENCE_MODELS = ['stories260K', 'TinyStories-656K'] as const;

export function hasReference(): boolean {
  return REFERENCE_MODELS.every(
    (model) => existsSync(`${FOLDER}/${model}.json`) && existsSync(`${FOLDER}/${model}-extra.json`),
  );
}

export function readReference(model: (typeof REFERENCE_MODELS)[number]): Reference {
  const main = JSON.parse(readFileSync(`${FOLDER}/${model}.json`, 'utf8')) as {
    readonly layers: readonly ReferenceLayer[];
  };
  const extra = JSON.parse(readFileSync(`${FOLDER}/${model}-extra.json`, 'utf8')) as {
    readonly layers: readonly ReferenceLayer[];
    readonly totals: {
      readonly parametersPerGroup: { readonly attention: number; readonly mlp: number };
      readonly blockParameters: number;
    };
    readonly plans: Reference['plans'];
  };
  const { parametersPerGroup, blockParameters } = extra.totals;
  const groups: LayerGroups[] = main.layers.map(({ attention, mlp }) => ({
    attention: { groups: attention.vector?.length ?? 0, parametersPerGroup: parametersPerGroup.attention },
    mlp: { groups: mlp.vector?.length ?? 0, parametersPerGroup: parametersPerGroup.mlp },
  }));
  const scoresOf = (values: Values) =>
    Object.fromEntries(
      METRICS.flatMap((metric) => (values[metric] ? [[metric, Float32Array.from(values[metric])]] : [])),
    );
  return {
    scores: {
      format: 'espalier-scores/1',
      model: { name: model, sha256: '', config: {}, parameters: blockParameters },
      calibration: { source: 'reference', sha256: '', windows: 8, length: 64, seed: 0, loss: 0, tokens: 504 },
      engine: { version: '0', backend: 'reference' },
      groups,
      layers: main.layers.map(({ attention, mlp }) => ({ attention: scoresOf(attention), mlp: scoresOf(mlp) })),
    },
    extra: (key) =>
      Float64Array.from(extra.layers.flatMap(({ attention, mlp }) => [...(attention[key] ?? []), ...(mlp[key] ?? [])])),
    plans: extra.plans,
  };
}
