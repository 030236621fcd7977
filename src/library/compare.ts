import { countParameters } from '../architecture/model.ts';
import { throwIfCancelled, UsageError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import type { Task } from '../evaluate/tasks.ts';
import type { LongRunning } from '../progress.ts';
import { makePlan } from '../saap/make-plan.ts';
import { type Method, parseMethod } from '../saap/methods.ts';
import type { PlanOptions } from '../saap/plan-options.ts';
import type { Scores } from '../saap/scores.ts';
import type { LayerPlan, Plan } from '../surgery/plan.ts';
import type { OpenModel } from './open-model.ts';
import { planInPasses } from './plan-in-passes.ts';
import { applyPlan } from './prune.ts';
import { refine } from './refine.ts';
import { scoreTasks, type TaskScores } from './task-scores.ts';

/** One cell of a comparison: a method at a ratio with one calibration seed. */
export interface ComparisonRow {
  readonly method: string;
  /** Asked share of the prunable parameters to remove; 0 is the dense model. */
  readonly ratio: number;
  readonly seed: number;
  /** Reached share, and parameters of the pruned model. */
  readonly reachedRatio: number;
  readonly parameters: number;
  readonly removedParameters: number;
  /** Perplexity, its standard error over windows, and predictions, by text. */
  readonly texts: Readonly<Record<string, { readonly perplexity: number; readonly standardError: number; readonly tokens: number }>>;
  /** Of the first text, for short tables. */
  readonly perplexity: number;
  readonly standardError: number;
  /** Zero-shot results by task, when they were asked for. */
  readonly tasks?: Readonly<Record<string, TaskScores>>;
  readonly seconds: number;
}

/** Calibration of one seed: its scores, and the windows that methods learn from which work on the model itself. */
export interface ComparisonCalibration {
  readonly seed: number;
  readonly scores: Scores;
  readonly compensationWindows: readonly ArrayLike<number>[];
  /** For `saap-passes`: the windows that the scores are of. */
  readonly windows?: readonly ArrayLike<number>[];
  /** For `saap-measured`: windows to measure pruned models on. */
  readonly measureWindows?: readonly ArrayLike<number>[];
}

export interface CompareOptions extends LongRunning {
  readonly methods: readonly string[];
  readonly ratios: readonly number[];
  readonly seeds: readonly number[];
  /** Called once per seed, when a cell needs it. */
  readonly calibrate: (seed: number) => Promise<ComparisonCalibration>;
  readonly texts: readonly { readonly name: string; readonly windows: readonly ArrayLike<number>[] }[];
  /** Zero-shot tasks that every cell is measured on too. */
  readonly tasks?: readonly Task[];
  /** Finished cells by `cellKey`; they are not computed again. */
  readonly finished?: ReadonlyMap<string, ComparisonRow>;
  /** Called after each new cell, so that it can be kept. */
  readonly onRow?: (key: string, row: ComparisonRow) => void | Promise<void>;
}

export const cellKey = (method: string, ratio: number, seed: number): string => `${method}@${ratio}#${seed}`;

/**
 * Methods side by side at the same share of removed parameters (docs/method.md section 8): every method prunes the same dense model by its own
 * score and selection, calibrated on the same windows; all are measured on the same texts. A plan that several seeds share is measured once.
 */
export async function compare(open: OpenModel, options: CompareOptions): Promise<ComparisonRow[]> {
  const methods = options.methods.map(parseMethod);
  const calibrations = new Map<number, Promise<ComparisonCalibration>>();
  const calibrated = (seed: number) => {
    const known = calibrations.get(seed) ?? options.calibrate(seed);
    calibrations.set(seed, known);
    return known;
  };
  const measured = new Map<string, ComparisonRow>();
  const cells = [
    { method: undefined, ratio: 0, seed: options.seeds[0] ?? 0 },
    ...methods.flatMap((method) => options.ratios.flatMap((ratio) => options.seeds.map((seed) => ({ method, ratio, seed })))),
  ];
  const rows: ComparisonRow[] = [];
  for (const [index, { method, ratio, seed }] of cells.entries()) {
    throwIfCancelled(options.signal);
    options.onProgress?.({ stage: 'comparison', completed: index, total: cells.length, unit: 'items' });
    const key = cellKey(method?.name ?? 'dense', ratio, seed);
    const known = options.finished?.get(key);
    const row = known ?? (await measureCell(open, options, measured, method, ratio, seed, calibrated));
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
): Promise<ComparisonRow> {
  const started = performance.now();
  if (!method) return measure(open, open, options, { method: 'dense', ratio: 0, seed, reachedRatio: 0 }, started);
  const calibration = await calibrated(seed);
  const { compensate, ...recipe } = method.recipe;
  const plan = await planCell(open, method, calibration, { ...recipe, target: { kind: 'ratio', value: ratio }, seed }, options.signal);
  // Without compensation the plan alone decides; methods that ignore the calibration text give the same plan for every seed.
  const signature = compensate === 'none' ? planSignature(plan.layers) : undefined;
  const same = signature === undefined ? undefined : measured.get(signature);
  if (same) return { ...same, method: method.name, ratio, seed };
  using pruned = await applyPlan(open, plan.layers, { compensate, windows: calibration.compensationWindows, signal: options.signal });
  const row = await measure(
    open,
    pruned,
    options,
    { method: method.name, ratio, seed, reachedRatio: plan.ratio, parameters: plan.parametersAfter, before: plan.parametersBefore },
    started,
  );
  if (signature !== undefined) measured.set(signature, row);
  return row;
}

/** Removed at most in one pass of `saap-passes` (docs/method.md section 6). */
const PASS_RATIO = 0.1;

async function planCell(
  open: OpenModel,
  { name, planning }: Method,
  { scores, windows, measureWindows }: ComparisonCalibration,
  plan: PlanOptions & { readonly target: { readonly value: number } },
  signal: AbortSignal | undefined,
): Promise<Plan> {
  const needed = (found: readonly ArrayLike<number>[] | undefined) => {
    if (!found) throw new UsageError(`${name} works on the model itself; give the calibration its windows.`);
    return found;
  };
  if (planning === 'measured') return (await refine(open, scores, { plan, windows: needed(measureWindows), signal })).plan;
  if (planning === 'passes') {
    const passes = Math.max(1, Math.round(plan.target.value / PASS_RATIO));
    return planInPasses(open, { plan, passes, scores, windows: needed(windows), calibration: scores.calibration, signal });
  }
  return makePlan(scores, plan);
}

async function measure(
  dense: OpenModel,
  model: OpenModel,
  options: CompareOptions,
  cell: {
    readonly method: string;
    readonly ratio: number;
    readonly seed: number;
    readonly reachedRatio: number;
    readonly parameters?: number;
    readonly before?: number;
  },
  started: number,
): Promise<ComparisonRow> {
  const texts: Record<string, { perplexity: number; standardError: number; tokens: number }> = {};
  for (const { name, windows } of options.texts) {
    const { perplexity: value, standardError, tokens } = await perplexity(model.programs, model.store, windows, { signal: options.signal });
    texts[name] = { perplexity: value, standardError, tokens };
  }
  const tasks = options.tasks && options.tasks.length > 0 ? await scoreTasks(model, options.tasks, { signal: options.signal }) : undefined;
  const first = texts[options.texts[0]?.name ?? ''];
  const before = cell.before ?? countParameters(dense.model).parameters;
  const parameters = cell.parameters ?? countParameters(model.model).parameters;
  return {
    method: cell.method,
    ratio: cell.ratio,
    seed: cell.seed,
    reachedRatio: cell.reachedRatio,
    parameters,
    removedParameters: before - parameters,
    texts,
    perplexity: first?.perplexity ?? Number.NaN,
    standardError: first?.standardError ?? Number.NaN,
    ...(tasks ? { tasks } : {}),
    seconds: (performance.now() - started) / 1000,
  };
}

function planSignature(layers: readonly LayerPlan[]): string {
  return JSON.stringify(layers.map(({ attention, mlp }) => [attention, mlp]));
}
