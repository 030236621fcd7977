import { CancelledError, UsageError } from '../../errors.ts';
import type { DenseReference } from '../../evaluate/divergence/dense-reference.ts';
import { perplexity } from '../../evaluate/perplexity.ts';
import { makePlan } from '../../plan/make-plan.ts';
import type { ModelMetric } from '../../plan/methods/method.ts';
import type { Method } from '../../plan/methods/methods.ts';
import type { LayerPlan, Plan } from '../../plan/plan.ts';
import type { PlanOptions } from '../../plan/plan-options.ts';
import type { LongRunning } from '../../progress.ts';
import { applyPlan } from '../apply-plan.ts';
import type { OpenModel } from '../open-model.ts';
import { planInPasses } from '../plan-in-passes.ts';
import { recover } from '../recover.ts';
import { refine } from '../refine.ts';
import { objectiveOf } from '../score.ts';
import { scoreTasks } from '../task-scores.ts';
import { replaceBlocks, replaceMePlan } from './replace-me.ts';
import { slimMetric } from './slimllm-metric.ts';
import { surgeonMetric } from './surgeon-metric.ts';
import type { CompareOptions, ComparisonCalibration, ComparisonRow, RowRecovery } from './types.ts';

/** Removed at most in one pass of `saap-passes` (docs/method.md section 6). */
const PASS_RATIO = 0.1;

/** The plan of a method at a ratio. Throws UsageError for a method that works on the model when the calibration lacks its windows. */
export async function planCell(
  open: OpenModel,
  { name, planning, modelMetric, recipe: { compensate: _, ...recipe } }: Method,
  calibration: ComparisonCalibration,
  ratio: number,
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const { scores, windows, measureWindows, objective, seed } = calibration;
  const plan: PlanOptions = { ...recipe, target: { kind: 'ratio', value: ratio }, seed };
  const needed = (found: readonly ArrayLike<number>[] | undefined) => {
    if (!found) throw new UsageError(`${name} works on the model itself; give the calibration its windows.`);
    return found;
  };
  if (planning === 'measured')
    return (await refine(open, scores, { plan, windows: needed(measureWindows), signal })).plan;
  if (planning === 'passes') {
    const passes = Math.max(1, Math.round(ratio / PASS_RATIO));
    return planInPasses(open, {
      plan,
      passes,
      scores,
      windows: needed(windows),
      calibration: scores.calibration,
      ...(objective && { objective }),
      signal,
    });
  }
  if (planning === 'replace-me') return replaceMePlan(open, scores, needed(windows), ratio, plan, { signal });
  if (!modelMetric) return makePlan(scores, plan);
  const values = await metricOnModel(open, modelMetric, calibration, needed(windows), signal);
  return makePlan(scores, { ...plan, furtherMetrics: new Map([[modelMetric, values]]) });
}

const metricsOfCalibrations = new WeakMap<ComparisonCalibration, Map<ModelMetric, Promise<Float64Array>>>();

/** Computed once for all ratios of a calibration. */
async function metricOnModel(
  open: OpenModel,
  metric: ModelMetric,
  calibration: ComparisonCalibration,
  windows: readonly ArrayLike<number>[],
  signal: AbortSignal | undefined,
): Promise<Float64Array> {
  const metrics = metricsOfCalibrations.get(calibration) ?? new Map<ModelMetric, Promise<Float64Array>>();
  metricsOfCalibrations.set(calibration, metrics);
  const { scores } = calibration;
  const objective = objectiveOf({ windows, calibration: scores.calibration, objective: calibration.objective });
  const known =
    metrics.get(metric) ??
    (metric === 'surgeon'
      ? surgeonMetric(open, windows, { signal, objective })
      : slimMetric(open, windows, scores, { signal }));
  metrics.set(metric, known);
  return await known;
}

/** A model to be measured, owned by the caller, and how its training went where it was trained. */
export interface PreparedModel {
  readonly model: OpenModel;
  readonly recovery?: RowRecovery;
}

/** The model of a cell: pruned, compensated, and trained where the method says so. What is only needed on the way is freed. */
export async function prepareModel(
  open: OpenModel,
  { planning, repair, recipe, recovery }: Method,
  layers: readonly LayerPlan[],
  { compensationWindows, seed }: ComparisonCalibration,
  { training, signal, onProgress }: Pick<CompareOptions, 'training' | keyof LongRunning>,
): Promise<PreparedModel> {
  const pruned =
    planning === 'replace-me'
      ? await replaceBlocks(open, layers, compensationWindows, { signal, onProgress })
      : await applyPlan(open, layers, {
          compensate: repair ?? recipe.compensate,
          windows: compensationWindows,
          signal,
          onProgress,
        });
  if (!recovery || !training) return { model: pruned };
  // Programs are the dense model's: nothing of the pruned one is needed after training but its checkpoint.
  using trained = pruned;
  const { loss = 'text' } = training;
  const distilled = loss === 'text' ? {} : { teacher: open };
  const result = await recover(trained, {
    ...training,
    ...distilled,
    loss,
    method: recovery,
    groupSteps: recovery === 'group-wise' && training.groupSteps === true,
    seed,
    signal,
    onProgress,
    onTeacher: onProgress,
  });
  if (result.stoppedBecause === 'cancelled') {
    result.model.dispose();
    throw new CancelledError();
  }
  const { steps, bestStep, heldOutBefore, heldOutAfter, trainedTokens, seconds } = result;
  return {
    model: result.model,
    recovery: { method: recovery, steps, bestStep, heldOutBefore, heldOutAfter, trainedTokens, seconds },
  };
}

/** What a row says beside its measurements. */
export interface CellName {
  readonly method: string;
  readonly ratio: number;
  readonly seed: number;
  readonly reachedRatio: number;
  /** Of the plan: biases that compensation adds are not counted, so that sizes compare. */
  readonly parameters: number;
  readonly removedParameters: number;
  readonly recovery?: RowRecovery | undefined;
}

/** Measures a model on the texts and tasks of a comparison, those that it has. `started`: when the cell's work began. */
export async function measureModel(
  model: OpenModel,
  options: CompareOptions,
  cell: CellName,
  started: number,
  denseOn: (windows: readonly ArrayLike<number>[]) => Promise<DenseReference>,
): Promise<ComparisonRow> {
  const { signal, onProgress } = options;
  const texts: Record<string, ComparisonRow['texts'][string]> = {};
  for (const { name, windows } of options.texts) {
    const against = await denseOn(windows);
    const result = await perplexity(model.programs, model.store, windows, { against, signal, onProgress });
    const { perplexity: value, standardError, tokens, klDivergence, klStandardError, top1Agreement } = result;
    texts[name] = {
      perplexity: value,
      standardError,
      tokens,
      ...(klDivergence !== undefined && { klDivergence, klStandardError, top1Agreement }),
    };
  }
  const tasks =
    options.tasks && options.tasks.length > 0
      ? await scoreTasks(model, options.tasks, { signal, onProgress })
      : undefined;
  const first = texts[options.texts[0]?.name ?? ''];
  const { recovery, ...name } = cell;
  return {
    ...name,
    texts,
    ...(first && firstText(first)),
    ...(tasks && { tasks }),
    ...(recovery && { recovery }),
    seconds: (performance.now() - started) / 1000,
  };
}

/** Of the first text, for short tables. */
function firstText({ tokens: _, ...figures }: ComparisonRow['texts'][string]) {
  return figures;
}

/** The same for plans that keep the same groups. */
export function planSignature(layers: readonly LayerPlan[]): string {
  return JSON.stringify(layers.map(({ attention, mlp }) => [attention, mlp]));
}
