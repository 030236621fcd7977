import { join } from 'node:path';
import type { ExportDataType } from '../src/decoder/dtypes.ts';
import { diskOutput } from '../src/export/disk.ts';
import { exportPruned } from '../src/library/export.ts';
import type { OpenModel } from '../src/library/open-model.ts';
import type { LayerPlan } from '../src/plan/plan.ts';

/** An exported model of a benchmark. */
export interface BenchModel {
  /** 'dense', '-20%', … */
  readonly name: string;
  /** Folder name. */
  readonly folder: string;
  readonly bytes: number;
}

/** Exports the model dense, and with the given shares of every layer's groups removed: for speed only sizes matter. */
export async function exportBenchModels(
  open: OpenModel,
  folder: string,
  dtype: ExportDataType,
  shares: readonly number[],
): Promise<BenchModel[]> {
  const models: BenchModel[] = [];
  for (const share of [0, ...shares]) {
    using pruned = open.pruned(firstGroups(open, share));
    const name = share === 0 ? 'dense' : `-${share * 100}%`;
    const own = share === 0 ? 'dense' : `pruned-${share * 100}`;
    const { bytes } = await exportPruned(pruned, { output: await diskOutput(join(folder, own)), dtype });
    models.push({ name, folder: own, bytes });
  }
  return models;
}

/** Of every layer's groups the first, so that about `share` of them is removed. */
export function firstGroups({ config }: OpenModel, share: number): LayerPlan[] {
  const first = (count: number) =>
    Array.from({ length: Math.max(1, Math.round(count * (1 - share))) }, (_, index) => index);
  const { layers, keyValueHeads, neurons } = config;
  return Array.from({ length: layers }, () => ({ attention: first(keyValueHeads), mlp: first(neurons) }));
}

/** Token ids that are the same for every contestant. */
export function benchPrompt(length: number, vocabulary: number): number[] {
  return Array.from({ length }, (_, index) => (index * 97 + 13) % vocabulary);
}
