import { countParameters } from '../../architecture/model.ts';
import { throwIfCancelled, UsageError } from '../../errors.ts';
import { DenseReference } from '../../evaluate/divergence/dense-reference.ts';
import { isRepaired, type Method, parseMethod } from '../../plan/methods/methods.ts';
import type { OpenModel } from '../open-model.ts';
import { measureModel, planCell, planSignature, prepareModel } from './comparison-cell.ts';
import type { CompareOptions, ComparisonCalibration, ComparisonRow } from './types.ts';

export const cellKey = (method: string, ratio: number, seed: number): string => `${method}@${ratio}#${seed}`;

/**
 * Methods side by side at the same share of removed parameters (docs/method.md section 8): every method prunes the same dense model by its own
 * score and selection, calibrated on the same windows; all are measured on the same texts. A plan that several seeds share is measured once.
 * Throws UsageError for a method whose recovery has no training, or that works on the model and lacks its windows.
 */
export async function compare(open: OpenModel, options: CompareOptions): Promise<ComparisonRow[]> {
  const methods = options.methods.map(parseMethod);
  const untrained = methods.find(({ recovery }) => recovery && !options.training);
  if (untrained)
    throw new UsageError(`${untrained.name} is trained after pruning; give the comparison text to train on.`);
  const calibrations = new Map<number, Promise<ComparisonCalibration>>();
  const calibrated = (seed: number) => {
    const known = calibrations.get(seed) ?? options.calibrate(seed);
    calibrations.set(seed, known);
    return known;
  };
  const references = new Map<readonly ArrayLike<number>[], Promise<DenseReference>>();
  /** Computed when the first cell is measured, and kept for all of them. */
  const denseOn = (windows: readonly ArrayLike<number>[]) => {
    const { signal, onProgress } = options;
    const known =
      references.get(windows) ?? DenseReference.of(open.programs, open.store, windows, { signal, onProgress });
    references.set(windows, known);
    return known;
  };
  const measured = new Map<string, ComparisonRow>();
  const cells = [
    // Of no calibration, so that a comparison that goes on with other seeds does not measure it again.
    { method: undefined, ratio: 0, seed: 0 },
    ...methods.flatMap((method) =>
      options.ratios.flatMap((ratio) => options.seeds.map((seed) => ({ method, ratio, seed }))),
    ),
  ];
  const rows: ComparisonRow[] = [];
  for (const [index, { method, ratio, seed }] of cells.entries()) {
    throwIfCancelled(options.signal);
    options.onProgress?.({ stage: 'comparison', completed: index, total: cells.length, unit: 'items' });
    const key = cellKey(method?.name ?? 'dense', ratio, seed);
    const known = options.finished?.get(key);
    const row = known ?? (await measureCell(open, options, measured, method, ratio, seed, calibrated, denseOn));
    rows.push(row);
    if (!known) await options.onRow?.(key, row);
  }
  options.onProgress?.({ stage: 'comparison', completed: cells.length, total: cells.length, unit: 'items' });
  return rows;
}

async function measureCell(
  open: OpenModel,
  options: CompareOptions,
  measured: Map<string, ComparisonRow>,
  method: Method | undefined,
  ratio: number,
  seed: number,
  calibrated: (seed: number) => Promise<ComparisonCalibration>,
  denseOn: Parameters<typeof measureModel>[4],
): Promise<ComparisonRow> {
  const started = performance.now();
  if (!method) {
    const { parameters } = countParameters(open.model);
    return measureModel(
      open,
      options,
      { method: 'dense', ratio: 0, seed, reachedRatio: 0, parameters, removedParameters: 0 },
      started,
      denseOn,
    );
  }
  const calibration = await calibrated(seed);
  const plan = await planCell(open, method, calibration, ratio, options.signal);
  // Without compensation and training the plan alone decides; methods that ignore the calibration text give the same plan for every seed.
  const signature = isRepaired(method) || method.recovery ? undefined : planSignature(plan.layers);
  const same = signature === undefined ? undefined : measured.get(signature);
  if (same) return { ...same, method: method.name, ratio, seed };
  const { model, recovery } = await prepareModel(open, method, plan.layers, calibration, options);
  using prepared = model;
  const { ratio: reachedRatio, parametersBefore, parametersAfter } = plan;
  const size = { reachedRatio, parameters: parametersAfter, removedParameters: parametersBefore - parametersAfter };
  const row = await measureModel(
    prepared,
    options,
    { method: method.name, ratio, seed, ...size, recovery },
    started,
    denseOn,
  );
  if (signature !== undefined) measured.set(signature, row);
  return row;
}
