import { UsageError } from '../errors.ts';
import { compareSpeeds } from '../evaluate/speed/speed.ts';
import { timedDecoder, timingPrompt } from '../evaluate/speed/timed-decoder.ts';
import type { Decoder } from '../generate/decoder.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import { ratioForSpeed, type SpeedPoint } from '../plan/speed-target.ts';
import type { LongRunning } from '../progress.ts';
import type { OpenModel } from './open-model.ts';
import { planFor } from './plan.ts';

/** Where the curve is measured. */
const RATIOS = [0.2, 0.4, 0.6];
/** How often a plan that falls short is made smaller, and by how much of the model. */
const ATTEMPTS = 3;
const STEP = 0.05;

/** A point of the curve, as it was measured. */
export interface MeasuredSpeed extends SpeedPoint {
  readonly tokensPerSecond: number;
}

export interface PlanForSpeedOptions extends LongRunning {
  /** Constraints as for `makePlan`; its number format is the one that is timed, its target is left out. */
  readonly plan: Omit<PlanOptions, 'target'>;
  /** At least, on this machine and backend. */
  readonly tokensPerSecond: number;
  /** Longest time of one measurement. Default 10. */
  readonly seconds?: number;
}

/** A plan with the speed that it was made for. */
export interface PlanForSpeed {
  readonly plan: Plan;
  /** Of the whole model. */
  readonly tokensPerSecond: number;
  /** By ratio, ascending; the plan's own is among them. */
  readonly curve: readonly MeasuredSpeed[];
}

/**
 * The plan that removes least for a decoding speed on this machine: dense and pruned models are timed token by token in turn at a few ratios, the ratio is read between these points, and the plan
 * itself is timed; where it falls short, a little more goes. Speeds are those of this machine while it was measured. Throws UsageError where the whole model is fast enough already, and where even the
 * smallest that was measured is not.
 */
export async function planForSpeed(
  open: OpenModel,
  scores: Scores,
  { plan: asked, tokensPerSecond, seconds = 10, signal, onProgress }: PlanForSpeedOptions,
): Promise<PlanForSpeed> {
  const running = { signal, onProgress };
  const decoderOf = (model: OpenModel) =>
    decoderForModel(model.runtime, model.model, { ...(asked.dtype && { dataType: asked.dtype }), ...running });
  using dense = await decoderOf(open);
  const prompt = timingPrompt(Math.min(32, open.maximumPositions >> 1), open.config.vocabulary);
  const request = { promptTokens: prompt.length, newTokens: 16, seconds };
  return await searchSpeed({
    tokensPerSecond,
    planAt: (value) => planFor(open, scores, { ...asked, target: { kind: 'ratio', value } }),
    measure: async (plan) => {
      using pruned = open.pruned(plan.layers);
      using decoder = await decoderOf(pruned);
      const timed = (each: Decoder) => timedDecoder(each, 0);
      const found = await compareSpeeds({ dense: timed(dense), pruned: timed(decoder) }, prompt, request, running);
      return {
        whole: found.dense.decode.value,
        times: found.decode.value,
        tokensPerSecond: found.pruned.decode.value,
      };
    },
  });
}

/** How a plan is made at a ratio, and how it and the whole model are timed in turn. */
interface SpeedSearch {
  readonly tokensPerSecond: number;
  readonly planAt: (ratio: number) => Plan;
  readonly measure: (
    plan: Plan,
  ) => Promise<{ readonly whole: number; readonly times: number; readonly tokensPerSecond: number }>;
}

/** `planForSpeed` without a model. */
export async function searchSpeed({ tokensPerSecond, planAt, measure }: SpeedSearch): Promise<PlanForSpeed> {
  const speeds: number[] = [];
  const curve: MeasuredSpeed[] = [];
  const add = async (plan: Plan) => {
    const { whole, ...found } = await measure(plan);
    speeds.push(whole);
    const point = { ratio: plan.ratio, ...found };
    curve.push(point);
    return point;
  };
  for (const ratio of RATIOS) await add(planAt(ratio));
  const whole = speeds.reduce((sum, value) => sum + value, 0) / speeds.length;
  if (tokensPerSecond <= whole)
    throw new UsageError(
      `The whole model writes ${whole.toFixed(1)} tokens per second here, which is ${tokensPerSecond} or more already. Ask for more, or give another target.`,
    );
  let ratio = ratioForSpeed(curve, tokensPerSecond / whole);
  for (let attempt = 0; ; attempt++) {
    const plan = planAt(ratio);
    const point = await add(plan);
    if (point.times * whole >= tokensPerSecond || attempt === ATTEMPTS || ratio + STEP >= 1)
      return { plan, tokensPerSecond: whole, curve: curve.sort((a, b) => a.ratio - b.ratio) };
    ratio += STEP;
  }
}
