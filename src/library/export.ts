import { blockProgramLogits } from '../export/block-logits.ts';
import type { ExportDataType } from '../export/dtypes.ts';
import { type ExportResult, exportModel } from '../export/export-model.ts';
import type { OutputFolder } from '../export/output-folder.ts';
import type { LongRunning } from '../progress.ts';
import type { Plan } from '../surgery/plan.ts';
import type { OpenModel } from './open-model.ts';
import { VERSION } from './version.ts';

export interface ExportPrunedOptions extends LongRunning {
  readonly output: OutputFolder;
  readonly dtype?: ExportDataType;
  readonly plan?: Plan;
  /** Windows of real text to verify on; the positions of all are compared. Default: drawn tokens. */
  readonly windows?: readonly ArrayLike<number>[] | undefined;
  readonly figures?: Readonly<Record<string, string>>;
}

/** Windows of text that an export is verified on: 256 positions are enough to see a wrong weight, and quick. */
const VERIFICATION_POSITIONS = 256;

/** Writes a (pruned) model as an ONNX folder and verifies it against the block programs before it gets its name (docs/architecture.md section 1.6). */
export async function exportPruned(pruned: OpenModel, options: ExportPrunedOptions): Promise<ExportResult> {
  const { output, dtype, plan, figures, signal, onProgress } = options;
  const windows = options.windows && chooseWindows(options.windows);
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

function chooseWindows(windows: readonly ArrayLike<number>[]): number[][] | undefined {
  const chosen: number[][] = [];
  for (let positions = 0; positions < VERIFICATION_POSITIONS; ) {
    const window = windows[chosen.length];
    if (!window) break;
    chosen.push(Array.from(window));
    positions += window.length;
  }
  return chosen.reduce((sum, window) => sum + window.length, 0) < 64 ? undefined : chosen;
}
