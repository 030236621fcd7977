import { diskOutput } from '../export/disk.ts';
import type { ExportResult } from '../export/export-model.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import { createRuntime } from './create-runtime.ts';
import { type ExportPrunedOptions, exportPruned as exportTo } from './export.ts';
import type { OpenModel } from './open-model.ts';
import { type Pruned, type PruneOptions, prune as pruneTo } from './prune.ts';

/** Where half precision is verified when the device has none. */
const elsewhere = () => createRuntime();

/** Runs work on an output, which is made where it is named by a path and taken away where the work fails. */
async function onOutput<Result>(output: string | OutputFolder, work: (folder: OutputFolder) => Promise<Result>) {
  if (typeof output !== 'string') return work(output);
  const folder = await diskOutput(output);
  try {
    return await work(folder);
  } finally {
    await folder.discard();
  }
}

/** What `prune` takes in Node: its output may be the path of a folder. */
export type PruneToDiskOptions = Omit<PruneOptions, 'output'> & {
  /** Path of a folder, or another output. Absent: nothing is written. */
  readonly output?: string | OutputFolder;
};

/**
 * Slices, compensates, and where an output is given exports and verifies: a path of a folder on disk, or another output. Throws MismatchError for a plan of another model,
 * UsageError for one that removes nothing, and what export throws.
 */
export async function prune(
  model: OpenModel,
  options: PruneToDiskOptions & { readonly output: string | OutputFolder },
): Promise<Pruned & { readonly exported: ExportResult }>;
export async function prune(model: OpenModel, options: PruneToDiskOptions): Promise<Pruned>;
export async function prune(model: OpenModel, { output, ...options }: PruneToDiskOptions): Promise<Pruned> {
  if (output === undefined) return pruneTo(model, options);
  return onOutput(output, (folder) => pruneTo(model, { elsewhere, ...options, output: folder }));
}

/**
 * Writes a pruned or recovered model as it is, to the path of a folder on disk or another output, and verifies it against the block programs before it gets its name.
 * Throws VerificationError where what was written is wrong, UsageError for a folder that is not to be replaced, and StorageError for a full disk.
 */
export async function exportPruned(
  pruned: OpenModel,
  { output, ...options }: Omit<ExportPrunedOptions, 'output'> & { readonly output: string | OutputFolder },
): Promise<ExportResult> {
  return onOutput(output, (folder) => exportTo(pruned, { elsewhere, ...options, output: folder }));
}
