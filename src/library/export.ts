import type { ExportDataType } from '../decoder/dtypes.ts';
import { blockProgramLogits } from '../export/block-logits.ts';
import { type ExportResult, exportModel } from '../export/export-model.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import type { Plan } from '../plan/plan.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { VERSION } from './version.ts';

export interface ExportPrunedOptions extends LongRunning {
  readonly output: OutputFolder;
  readonly dtype?: ExportDataType;
  readonly plan?: Plan;
  /** Windows of real text to verify on; what they lack of 256 positions is drawn. */
  readonly windows?: readonly ArrayLike<number>[] | undefined;
  readonly figures?: Readonly<Record<string, string>>;
}

/** Writes a (pruned) model as an ONNX folder and verifies it against the block programs before it gets its name (docs/architecture.md section 1.6). */
export async function exportPruned(pruned: OpenModel, options: ExportPrunedOptions): Promise<ExportResult> {
  const { output, dtype, plan, windows, figures, signal, onProgress } = options;
  return exportModel({
    model: pruned.model,
    output,
    runtime: pruned.runtime,
    reference: blockProgramLogits(pruned.programs, pruned.store),
    programs: pruned.programs,
    version: VERSION,
    signal,
    onProgress,
    ...(windows ? { windows } : {}),
    ...(dtype === undefined ? {} : { dataType: dtype }),
    ...(plan === undefined ? {} : { plan }),
    ...(figures === undefined ? {} : { figures }),
  });
}
