/** The public library: the same verbs as the command line (docs/architecture.md section 7.3). Nothing of the studio, nothing of a particular platform. */
export type { Architecture, LayerWidths, ModelConfig } from './architecture/architecture.ts';
export type { ByteSource, Checkpoint, Provenance, TensorInfo } from './checkpoint/checkpoint.ts';
export { blobFolder } from './checkpoint/files/file.ts';
export { httpFolder } from './checkpoint/files/http.ts';
export { openCheckpoint } from './checkpoint/folder.ts';
export type { ChatMessage } from './checkpoint/tokenizer/chat-template.ts';
export type { Tokenizer } from './checkpoint/tokenizer/tokenizer.ts';
export * from './errors.ts';
export { DenseReference, type Divergence } from './evaluate/divergence/dense-reference.ts';
export { type PerplexityOptions, type PerplexityResult, perplexity } from './evaluate/perplexity.ts';
export { readTask, type Task, type TaskItem } from './evaluate/tasks.ts';
export { type PairedComparison, pairedComparison } from './evaluate/tasks-paired.ts';
export { type PromptFormat, promptFormat } from './evaluate/tasks-prompts.ts';
export type { TaskResult } from './evaluate/tasks-result.ts';
export { joinTexts, readTexts, readTokenIds } from './evaluate/text.ts';
export { tokenWindows } from './evaluate/token-windows.ts';
export { decodeScores, encodeScores } from './importance/files/score-file.ts';
export { openSumsFile, type SumsFile, type SumsInfo } from './importance/files/sums-file.ts';
export type { LayerGroups } from './importance/structures/structures.ts';
export { METRICS, type Metric, type Scores } from './importance/sums/scores.ts';
export { type ApplyPlanOptions, applyPlan } from './library/apply-plan.ts';
export { calibrationOf, calibrationOfTokenIds } from './library/calibration.ts';
export { compare } from './library/comparison/compare.ts';
export { type MethodPair, pairedMethods, tasksMarkdown } from './library/comparison/comparison-pairs.ts';
export { comparisonCsv, comparisonMarkdown } from './library/comparison/comparison-table.ts';
export type { CompareOptions, ComparisonCalibration, ComparisonRow } from './library/comparison/types.ts';
export { type BackendChoice, createRuntime, type RuntimeOptions } from './library/create-runtime.ts';
export { type EvaluateOptions, evaluate } from './library/evaluate.ts';
export { type ExportPrunedOptions, exportArchive, exportPruned } from './library/export.ts';
export { type ExportedModel, openExported } from './library/exported-model.ts';
export { type GenerateOptions, type Generator, generate } from './library/generate.ts';
export { type Inspection, inspect } from './library/inspect.ts';
export { mergeScores } from './library/merge-scores.ts';
export { type OpenModelOptions, openModel } from './library/open.ts';
export { OpenModel } from './library/open-model.ts';
export { plan, planFor, readPlan } from './library/plan.ts';
export { type PlanInPassesOptions, planInPasses } from './library/plan-in-passes.ts';
export { type Pruned, type PruneOptions, prune } from './library/prune.ts';
export {
  type Recovered,
  type RecoverOptions,
  type RecoveryCheckpoint,
  type RecoveryProgress,
  type RecoveryRecord,
  recover,
  type TrainingWindow,
} from './library/recover.ts';
export { type RefineOptions, refine } from './library/refine.ts';
export { parseMetrics, type ScoreOptions, type ScoreRun, score } from './library/score.ts';
export { type ScoreShardOptions, type SumsSink, scoreShard } from './library/score-shard.ts';
export { exactStorage, exportedBytes } from './library/storage.ts';
export { type EvaluateTasksOptions, evaluateTasks, type TaskItemResult } from './library/tasks.ts';
export { readTrainingData, type TrainingData, type TrainingDataOptions } from './library/training-data.ts';
export { VERSION } from './library/version.ts';
export type { MeasuredPlan, Measurement } from './plan/measured.ts';
export { METHODS, MODEL_METHODS, parseMethod } from './plan/methods/methods.ts';
export type { LayerPlan, Plan, Recipe } from './plan/plan.ts';
export { decodePlan, encodePlan, parsePlan } from './plan/plan-file.ts';
export type { PlanOptions } from './plan/plan-options.ts';
export type { LongRunning, OnProgress, Progress } from './progress.ts';
export type { Adapter } from './runtime/adapter.ts';
export type { Backend, Runtime, RuntimeStatistics } from './runtime/runtime.ts';
