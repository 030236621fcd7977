import { sha256OfText } from '../../checkpoint/files/sha256.ts';
import { calibrationOf } from '../../library/calibration.ts';
import { cellKey, compare } from '../../library/comparison/compare.ts';
import type { ComparisonCalibration, ComparisonRow } from '../../library/comparison/types.ts';
import type { OpenModel } from '../../library/open-model.ts';
import { score } from '../../library/score.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { TrainingDetails } from './recover.ts';
import type { Calibration } from './repaired-models.ts';

/** How the methods of a comparison are trained whose names ask for it. */
export interface ComparedTraining extends TrainingDetails {
  readonly text: string;
  readonly length: number;
  readonly steps: number;
  readonly batchWindows: number;
  /** Of 'group-wise'. */
  readonly bits: 4 | 8;
}

/** One cell of a comparison: a method with what follows its name, a ratio, and a seed of calibration and training. */
export interface ComparedCell {
  readonly method: string;
  readonly ratio: number;
  readonly seed: number;
  readonly calibration: Omit<Calibration, 'seed'> & { readonly source: string };
  /** Windows that repairs learn from, and that `saap-measured` measures on. */
  readonly repairWindows: number;
  readonly measureWindows: number;
  /** What is measured on: windows of a text. */
  readonly measured: { readonly text: string; readonly windows: number; readonly length: number };
  readonly training: ComparedTraining;
}

export interface CompareCalls {
  /** A method as `compare` of the command line measures it, scored anew with its seed. The scores of a seed are kept for the next cells. */
  compareCell(cell: ComparedCell, options?: LongRunning): Promise<ComparisonRow>;
}

/** The name of the one text that cells are measured on. */
const TEXT = 'text';

export function compareCalls(bench: Bench): CompareCalls {
  let known: { readonly of: OpenModel; readonly calibrations: Map<string, ComparisonCalibration> } | undefined;
  let dense: { readonly on: string; readonly row: ComparisonRow } | undefined;

  const calibrated = async (cell: ComparedCell, options: LongRunning): Promise<ComparisonCalibration> => {
    const { calibration, seed, repairWindows, measureWindows } = cell;
    const { text, source, windows: count, length } = calibration;
    const key = JSON.stringify([await sha256OfText(text), count, length, seed, repairWindows, measureWindows]);
    if (known?.of !== bench.model) known = { of: bench.model, calibrations: new Map() };
    const found = known.calibrations.get(key);
    if (found) return found;
    const tokenIds = await bench.tokenIds(text);
    const drawn = calibrationOf({ tokenIds, source, sha256: await sha256OfText(text), length, seed }, { count });
    const { scores } = await score(bench.model, { ...drawn, ...options });
    const made: ComparisonCalibration = {
      ...{ seed, scores, windows: drawn.windows },
      compensationWindows: await bench.drawn({ text, windows: repairWindows, length, seed }),
      // Other windows than those that were scored on.
      measureWindows: await bench.drawn({ text, windows: measureWindows, length, seed: seed + 1 }),
    };
    known.calibrations.set(key, made);
    return made;
  };

  return {
    compareCell: (cell, options = {}) =>
      bench.heavy(async () => {
        const { method, ratio, seed, measured, training } = cell;
        const { text, length, ...details } = training;
        const windows = (await bench.windowsOf(measured.text, measured.length)).slice(0, measured.windows);
        const on = JSON.stringify([await bench.model.model.checkpoint.sha256(), windows.map((ids) => Array.from(ids))]);
        const rows = await compare(bench.model, {
          ...{ methods: [method], ratios: [ratio], seeds: [seed], ...options },
          texts: [{ name: TEXT, windows }],
          calibrate: () => calibrated(cell, options),
          training: {
            ...details,
            examples: (await bench.windowsOf(text, length)).map((tokens) => ({ tokens })),
          },
          finished: new Map(dense?.on === on ? [[cellKey('dense', 0, 0), dense.row]] : []),
        });
        const [first, row] = rows;
        if (first) dense = { on, row: first };
        if (!row) throw new RangeError(`The comparison has no row of ${method}.`);
        return row;
      }, options),
  };
}
