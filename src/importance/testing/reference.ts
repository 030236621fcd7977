import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { diskFolder } from '../../checkpoint/files/disk.ts';
import { openCheckpoint } from '../../checkpoint/folder.ts';
import type { LayerPlan } from '../../plan/plan.ts';
import type { LayerGroups } from '../structures/structures.ts';
import { METRICS, type Scores } from '../sums/scores.ts';

/** What PyTorch computes in float64 with a tiny random model (scripts/fixtures/importance.py). */
export interface Reference {
  readonly calibration: readonly number[][];
  readonly evaluation: readonly number[][];
  /** Mean loss over the calibration windows. */
  readonly loss: number;
  /** On the evaluation windows. */
  readonly perplexity: number;
  readonly layers: readonly { readonly attention: MetricValues; readonly mlp: MetricValues }[];
  /** A plan that no score decides: without the last attention group of odd layers and every neuron with index 1 modulo 4. */
  readonly plan: { readonly perplexity: number };
  readonly parametersPerGroup: { readonly attention: number; readonly mlp: number };
  readonly blockParameters: number;
  /** By key ('fused-shared vector+element-first', …): values of all groups in the table's order. */
  readonly extra: Readonly<Record<string, readonly number[]>>;
  /** At least 8 neurons and one attention group stay in every layer. */
  readonly plans: readonly {
    readonly fusion: string;
    readonly search: 'standardised' | 'per-parameter';
    readonly ratio: number;
    readonly removedParameters: number;
    readonly layers: readonly LayerPlan[];
  }[];
}

type MetricValues = Readonly<Record<string, readonly number[]>>;

const FOLDER = join(import.meta.dirname, '../fixtures/reference');

export function readReference(): Reference {
  return JSON.parse(readFileSync(join(FOLDER, 'reference.json'), 'utf8')) as Reference;
}

/** The model that the numbers are of. */
export async function referenceCheckpoint(): Promise<Checkpoint> {
  return openCheckpoint(await diskFolder(FOLDER));
}

/** PyTorch's scores as a score file holds them. */
export function referenceScores({ layers, parametersPerGroup, blockParameters }: Reference): Scores {
  const groups: LayerGroups[] = layers.map(({ attention, mlp }) => ({
    attention: { groups: attention.vector?.length ?? 0, parametersPerGroup: parametersPerGroup.attention },
    mlp: { groups: mlp.vector?.length ?? 0, parametersPerGroup: parametersPerGroup.mlp },
  }));
  const scoresOf = (values: MetricValues) =>
    Object.fromEntries(
      METRICS.flatMap((metric) => (values[metric] ? [[metric, Float32Array.from(values[metric])]] : [])),
    );
  return {
    format: 'espalier-scores/1',
    model: { name: 'reference', sha256: '', config: {}, parameters: blockParameters },
    calibration: { source: 'reference', sha256: '', windows: 8, length: 24, seed: 0, loss: 0, tokens: 184 },
    engine: { version: '0', backend: 'reference' },
    groups,
    layers: layers.map(({ attention, mlp }) => ({ attention: scoresOf(attention), mlp: scoresOf(mlp) })),
  };
}
