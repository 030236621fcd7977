import type { StateCreator } from 'zustand';
import type { RecoveryProgress, RecoveryRecord } from '../../../library/recover.ts';
import { LEARNING_RATES } from '../../../library/recover-options.ts';
import type { Plan } from '../../../plan/plan.ts';
import type { KeptTraining, RecoverRequest, Recovery, TrainingDetails } from '../../../worker/engine.ts';
import type { ChosenText } from '../../data/text.ts';
import type { RecipeChoices } from '../plan/slice.ts';

type RecoveryLoss = NonNullable<RecoverRequest['loss']>;
export type RecoveryMethod = 'group-wise-4' | 'group-wise-8' | 'lora';

/** One training as it goes or went. */
export interface RecoveryRun {
  /** What is trained, for people: '20% removed'. */
  readonly of: string;
  readonly plan: Plan;
  readonly method: RecoveryMethod;
  readonly steps: number;
  /** Steps that were made before this page was opened, or before it was stopped. */
  readonly earlier: readonly RecoveryRecord[];
  readonly progress: readonly RecoveryProgress[];
  readonly state:
    | { readonly status: 'running' }
    | { readonly status: 'stopped' }
    | { readonly status: 'failed'; readonly message: string }
    | FinishedRecovery;
}

interface FinishedRecovery {
  readonly status: 'done';
  readonly result: Recovery;
}

/** The recovered model that the engine holds, for the panels that show it beside the others. */
export interface RecoveredColumn {
  readonly plan: Plan;
  readonly recipe: RecipeChoices;
  readonly method: RecoveryMethod;
  readonly result: Recovery;
  /** When it was finished, in milliseconds since 1970. */
  readonly at: number;
  /** '20% removed, 4 bits'. */
  readonly name: string;
}

export interface RecoverySlice {
  readonly recoverText: ChosenText;
  readonly recoverMethod: RecoveryMethod;
  /** What the training makes small: KL from the dense model, cross-entropy with the text, or both. */
  readonly recoverLoss: RecoveryLoss;
  readonly recoverSteps: number;
  /** Peak learning rates: a change of pooled inputs is 32 times smaller and wants some ten times the rate (docs/method.md section 7). */
  readonly recoverRates: Readonly<Record<'groupWise' | 'lora', number>>;
  /** Windows of one step, and tokens of one window. */
  readonly recoverBatch: number;
  readonly recoverLength: number;
  readonly recoverSeed: number;
  /** What the panel leaves at the training's own defaults unless it is set. */
  readonly recoverDetails: TrainingDetails;
  readonly recoveryRun: RecoveryRun | undefined;
  readonly recovered: RecoveredColumn | undefined;
  setRecovery(
    patch: Partial<
      Pick<
        RecoverySlice,
        | 'recoverText'
        | 'recoverMethod'
        | 'recoverLoss'
        | 'recoverSteps'
        | 'recoverRates'
        | 'recoverBatch'
        | 'recoverLength'
        | 'recoverSeed'
        | 'recoverDetails'
        | 'recovered'
      >
    >,
  ): void;
  setRecoveryRun(run: RecoveryRun | undefined): void;
  /** Adds a step to the run; ignored when none is running. */
  addRecoveryStep(step: RecoveryProgress): void;
}

export const createRecoverySlice: StateCreator<RecoverySlice> = (set, get) => ({
  recoverText: { kind: 'embedded' },
  recoverMethod: 'group-wise-4',
  recoverLoss: 'kl',
  recoverSteps: 40,
  recoverRates: { groupWise: LEARNING_RATES['group-wise'], lora: LEARNING_RATES.lora },
  recoverBatch: 8,
  recoverLength: 128,
  recoverSeed: 0,
  recoverDetails: {},
  recoveryRun: undefined,
  recovered: undefined,
  setRecovery: (patch) => set(patch),
  setRecoveryRun: (recoveryRun) => set({ recoveryRun }),
  addRecoveryStep(step) {
    const run = get().recoveryRun;
    if (run?.state.status === 'running') set({ recoveryRun: { ...run, progress: [...run.progress, step] } });
  },
});

const METHOD_NAMES: Readonly<Record<RecoveryMethod, string>> = {
  'group-wise-4': '4 bits',
  'group-wise-8': '8 bits',
  lora: 'LoRA',
};

/** Which of the learning rates a method takes. */
export function rateOf(method: RecoveryMethod): keyof RecoverySlice['recoverRates'] {
  return method === 'lora' ? 'lora' : 'groupWise';
}

/** A method for people. */
export function recoveryMethodName(method: RecoveryMethod): string {
  return METHOD_NAMES[method];
}

/** The method that an engine's request or kept training names. */
export function methodOf({ method, bits }: Pick<KeptTraining, 'method' | 'bits'>): RecoveryMethod {
  return method === 'lora' ? 'lora' : bits === 4 ? 'group-wise-4' : 'group-wise-8';
}

/** Whether all steps of a kept training were made, so that it can be brought back as it ended. */
export function isFinished({ records, steps }: Pick<KeptTraining, 'records' | 'steps'>): boolean {
  const last = records.at(-1);
  return last !== undefined && last.step >= steps && last.heldOutLoss !== undefined;
}

/** The steps of a run as points of its loss curve: events that repeat a step are one point. */
export function lossPoints(progress: readonly Pick<RecoveryRecord, 'step' | 'loss' | 'heldOutLoss'>[]) {
  const points = new Map<
    number,
    { readonly step: number; readonly loss: number | undefined; readonly heldOutLoss: number | undefined }
  >();
  for (const { step, loss, heldOutLoss } of progress) {
    const known = points.get(step);
    points.set(step, { step, loss: loss ?? known?.loss, heldOutLoss: heldOutLoss ?? known?.heldOutLoss });
  }
  return [...points.values()].sort((a, b) => a.step - b.step);
}

/** The point with the lowest held-out loss; the earliest of equal ones. */
export function bestPoint(points: ReturnType<typeof lossPoints>) {
  return points.reduce<(typeof points)[number] | undefined>(
    (best, point) =>
      point.heldOutLoss !== undefined && point.heldOutLoss < (best?.heldOutLoss ?? Number.POSITIVE_INFINITY)
        ? point
        : best,
    undefined,
  );
}
