import { expectTypeOf } from 'vitest';
import type * as espalier from './index.ts';
import type {
  ApplyPlanOptions,
  ChatMessage,
  Checkpoint,
  CompareOptions,
  ComparisonRow,
  EvaluateOptions,
  EvaluateTasksOptions,
  ExportedModel,
  ExportPrunedOptions,
  GenerateOptions,
  Generator,
  Inspection,
  LayerPlan,
  LongRunning,
  MeasuredPlan,
  OpenModel,
  OpenModelOptions,
  PerplexityResult,
  Plan,
  PlanInPassesOptions,
  PlanOptions,
  Pruned,
  PruneOptions,
  Recovered,
  RecoverOptions,
  RefineOptions,
  ScoreOptions,
  ScoreRun,
  Scores,
  SumsFile,
  Task,
  TaskResult,
} from './index.ts';
import type * as web from './web.ts';

type Library = typeof espalier;

/** The verbs: a change of a signature is a change of the public library, and of this file. */
expectTypeOf<Library['openModel']>().toEqualTypeOf<
  (source: string | Checkpoint, options?: OpenModelOptions) => Promise<OpenModel>
>();
expectTypeOf<Library['inspect']>().toEqualTypeOf<(open: OpenModel) => Inspection>();
expectTypeOf<Library['score']>().toEqualTypeOf<(open: OpenModel, options: ScoreOptions) => Promise<ScoreRun>>();
expectTypeOf<Library['plan']>().toEqualTypeOf<(scores: Scores, options: PlanOptions) => Plan>();
expectTypeOf<Library['planFor']>().toEqualTypeOf<(open: OpenModel, scores: Scores, options: PlanOptions) => Plan>();
expectTypeOf<Library['planInPasses']>().toEqualTypeOf<
  (open: OpenModel, options: PlanInPassesOptions) => Promise<Plan>
>();
expectTypeOf<Library['refine']>().toEqualTypeOf<
  (open: OpenModel, scores: Scores, options: RefineOptions) => Promise<MeasuredPlan>
>();
expectTypeOf<Library['applyPlan']>().toEqualTypeOf<
  (open: OpenModel, layers: readonly LayerPlan[], options?: ApplyPlanOptions) => Promise<OpenModel>
>();
expectTypeOf<Library['prune']>().toBeCallableWith({} as OpenModel, {} as PruneOptions);
expectTypeOf<Awaited<ReturnType<Library['prune']>>>().toExtend<Pruned>();
expectTypeOf<Library['recover']>().toEqualTypeOf<(model: OpenModel, options: RecoverOptions) => Promise<Recovered>>();
expectTypeOf<Library['evaluate']>().toEqualTypeOf<
  (model: OpenModel | ExportedModel, options: EvaluateOptions) => Promise<PerplexityResult>
>();
expectTypeOf<Library['evaluateTasks']>().toBeCallableWith(
  {} as OpenModel | ExportedModel,
  [] as readonly Task[],
  {} as EvaluateTasksOptions,
);
expectTypeOf<Library['evaluateTasks']>().returns.resolves.toEqualTypeOf<Record<string, TaskResult>>();
expectTypeOf<Library['generate']>().parameters.toEqualTypeOf<[model: Generator, options: GenerateOptions]>();
expectTypeOf<Library['compare']>().toEqualTypeOf<
  (open: OpenModel, options: CompareOptions) => Promise<ComparisonRow[]>
>();
expectTypeOf<Library['exportPruned']>().toBeCallableWith({} as OpenModel, { output: 'folder' });
expectTypeOf<Library['generateTokens']>().returns.toExtend<AsyncIterable<{ readonly text: string }>>();
expectTypeOf<Library['openExported']>().returns.resolves.toEqualTypeOf<ExportedModel>();

/** In a browser outputs are folders, never paths; the rest is the same. */
type InBrowser = typeof web;
expectTypeOf<InBrowser['exportPruned']>().parameters.toEqualTypeOf<[pruned: OpenModel, options: ExportPrunedOptions]>();
expectTypeOf<InBrowser['score']>().toEqualTypeOf<Library['score']>();
expectTypeOf<InBrowser['openModel']>().toEqualTypeOf<Library['openModel']>();

/** Files. */
expectTypeOf<Library['encodeScores']>().returns.toExtend<Uint8Array>();
expectTypeOf<Library['decodeScores']>().returns.resolves.toEqualTypeOf<Scores>();
expectTypeOf<Library['mergeScores']>().toEqualTypeOf<
  (files: readonly SumsFile[], options?: LongRunning) => Promise<Scores>
>();
expectTypeOf<Library['decodePlan']>().toEqualTypeOf<(bytes: Uint8Array, file?: string) => Plan>();

/** Everything long can be cancelled and tells of its progress; a conversation is a prompt. */
expectTypeOf<
  OpenModelOptions & ScoreOptions & RefineOptions & PruneOptions & EvaluateOptions & GenerateOptions & CompareOptions
>().toExtend<LongRunning>();
expectTypeOf<readonly ChatMessage[]>().toExtend<GenerateOptions['prompt']>();

// @ts-expect-error A plan needs a target.
expectTypeOf<Library['plan']>().toBeCallableWith({} as Scores, {});
// @ts-expect-error Scores are not a plan.
expectTypeOf<PruneOptions['plan']>().toEqualTypeOf<Scores>();
