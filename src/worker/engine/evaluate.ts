import { countParameters } from '../../architecture/model.ts';
import { DenseReference } from '../../evaluate/divergence/dense-reference.ts';
import {
  compareSpeeds,
  type MeasuringSpeed,
  type SpeedComparison,
  type SpeedRequest as SpeedSettings,
} from '../../evaluate/speed/speed.ts';
import { timedDecoder, timingPrompt } from '../../evaluate/speed/timed-decoder.ts';
import type { Task } from '../../evaluate/tasks.ts';
import { evaluate } from '../../library/evaluate.ts';
import type { OpenModel } from '../../library/open-model.ts';
import { type TaskItemResult, type TaskModel, taskLogLikelihoods } from '../../library/tasks.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LongRunning } from '../../progress.ts';
import type { Bench } from './bench.ts';
import type { Repair } from './repaired-models.ts';

export interface EvaluateRequest {
  readonly text: string;
  /** How many windows at most. */
  readonly windows: number;
  /** Tokens per window. */
  readonly length: number;
  readonly repair?: Repair | undefined;
}

/** Perplexity over non-overlapping windows (docs/method.md section 8). */
export interface PerplexityMeasurement {
  readonly perplexity: number;
  /** Standard error of the perplexity over windows. */
  readonly standardError: number;
  /** Predictions that went into it. */
  readonly tokens: number;
  readonly windows: number;
  /** Of a pruned model: KL from the dense one in nats a token with its standard error over windows, and the share of predictions with the same most probable token. */
  readonly klDivergence?: number | undefined;
  readonly klStandardError?: number | undefined;
  readonly top1Agreement?: number | undefined;
  /** Mean loss of each window in nats, for paired comparisons. */
  readonly windowLosses?: readonly number[] | undefined;
  /** What it took, where it was measured by itself. */
  readonly seconds?: number | undefined;
}

export interface TaskRequest {
  /** Its name decides how prompts are written: `promptFormat`. */
  readonly task: Task;
  /** What computes: the block programs, or the decoder as it is exported. */
  readonly through: 'blocks' | 'decoder';
  /** Items that are known already. */
  readonly finished: readonly TaskItemResult[];
  readonly repair?: Repair | undefined;
}

/** Log-likelihoods [items][choices], for `judgeTask`. */
export type TaskLikelihoods = readonly (readonly number[])[];

/** Options of measuring a task: items as they are finished, to be kept. */
export interface MeasuringTask extends LongRunning {
  readonly onItems?: ((items: readonly TaskItemResult[]) => void) | undefined;
}

/** How speed is measured, and what of the pruned model. */
export interface SpeedRequest extends SpeedSettings {
  readonly repair?: Repair | undefined;
}

export interface EvaluateCalls {
  evaluate(plan: Plan | null, request: EvaluateRequest, options?: LongRunning): Promise<PerplexityMeasurement>;
  task(plan: Plan | null, request: TaskRequest, options?: MeasuringTask): Promise<TaskLikelihoods>;
  /** Dense and pruned in turn, token by token. */
  speed(plan: Plan, request: SpeedRequest, options?: MeasuringSpeed): Promise<SpeedComparison>;
}

export function evaluateCalls(bench: Bench): EvaluateCalls {
  const { models } = bench;
  let dense: { readonly of: OpenModel; readonly on: string; readonly reference: DenseReference } | undefined;
  /** The dense model on the windows that were measured last: they stay the same while the ratio moves. */
  const denseOn = async (windows: readonly ArrayLike<number>[], options: LongRunning) => {
    const on = JSON.stringify(windows.map((window) => Array.from(window)));
    return models.use(null, undefined, options, async (open) => {
      if (dense?.of !== open || dense.on !== on)
        dense = { of: open, on, reference: await DenseReference.of(open.programs, open.store, windows, options) };
      return dense.reference;
    });
  };
  const bytesOf = (plan: Plan | null) =>
    models.use(plan, undefined, {}, async (open) => 4 * countParameters(open.model).parameters);
  return {
    evaluate: (plan, { text, windows, length, repair }, options = {}) =>
      bench.heavy(async () => {
        const start = performance.now();
        const chosen = (await bench.windowsOf(text, length)).slice(0, windows);
        const against = plan ? await denseOn(chosen, options) : undefined;
        const result = await models.use(plan, repair, options, (open) =>
          evaluate(open, { ...options, windows: chosen, against }),
        );
        const {
          perplexity: value,
          standardError,
          tokens,
          windowLosses,
          klDivergence,
          klStandardError,
          top1Agreement,
        } = result;
        const seconds = (performance.now() - start) / 1000;
        const divergence = { klDivergence, klStandardError, top1Agreement };
        return {
          perplexity: value,
          standardError,
          tokens,
          windows: chosen.length,
          windowLosses,
          ...(against && divergence),
          seconds,
        };
      }, options),

    task: (plan, request, options = {}) =>
      bench.heavy(
        async () => {
          const { through, repair } = request;
          if (through === 'blocks')
            return models.use(plan, repair, options, (open) => measureTask(open, request, options));
          const { maximumPositions } = bench.model;
          const decoder = await bench.decoderOf(plan, repair, options);
          const tokenizer = () => bench.model.tokenizer();
          return measureTask({ decoder, tokenizer, maximumPositions }, request, options);
        },
        options,
        // Its items were told.
        () => false,
      ),

    speed: (plan, request, options = {}) =>
      bench.heavy(async () => {
        const dense = timedDecoder(await bench.decoderOf(null, undefined, options), await bytesOf(null));
        const pruned = timedDecoder(await bench.decoderOf(plan, request.repair, options), await bytesOf(plan));
        const prompt = timingPrompt(request.promptTokens, bench.model.config.vocabulary);
        return compareSpeeds({ dense, pruned }, prompt, request, options);
      }, options),
  };
}

/** Tokens between two batches of items: what a cancellation or a reload may cost. */
const PASS_TOKENS = 1024;

/** Log-likelihoods of a task; goes on from the finished items, and tells new ones as they come. */
async function measureTask(
  model: TaskModel,
  { task, finished }: TaskRequest,
  { signal, onProgress, onItems }: MeasuringTask,
): Promise<TaskLikelihoods> {
  const known = new Map(finished.map(({ item, logLikelihoods }) => [item, logLikelihoods]));
  return taskLogLikelihoods(model, task, {
    passTokens: PASS_TOKENS,
    finished: new Map([[task.name, known]]),
    signal,
    onProgress,
    onItems: (_, items) => onItems?.(items),
  });
}
