/** What of the public library needs neither Node nor a browser: src/index.ts and src/web.ts add how models are opened and where exports go. */
export type { Architecture, LayerWidths, ModelConfig } from '../architecture/architecture.ts';
export type { ByteSource, Checkpoint, Provenance, TensorInfo } from '../checkpoint/checkpoint.ts';
export { blobFolder } from '../checkpoint/files/file.ts';
export { httpFolder } from '../checkpoint/files/http.ts';
export { openCheckpoint } from '../checkpoint/folder.ts';
export type { ChatMessage } from '../checkpoint/tokenizer/chat-template.ts';
export { loadTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
export * from '../errors.ts';
export { DenseReference, type Divergence } from '../evaluate/divergence/dense-reference.ts';
export { type PerplexityOptions, type PerplexityResult, perplexity } from '../evaluate/perplexity.ts';
export { readTask, type Task, type TaskItem } from '../evaluate/tasks.ts';
export { type PairedComparison, pairedComparison } from '../evaluate/tasks-paired.ts';
export { type PromptFormat, promptFormat } from '../evaluate/tasks-prompts.ts';
export type { TaskResult } from '../evaluate/tasks-result.ts';
export { joinTexts, readTexts, readTokenIds } from '../evaluate/text.ts';
export { tokenWindows } from '../evaluate/token-windows.ts';
export { decodeScores, encodeScores } from '../importance/files/score-file.ts';
export { openSumsFile, type SumsFile, type SumsInfo } from '../importance/files/sums-file.ts';
export type { LayerGroups } from '../importance/structures/structures.ts';
export { METRICS, type Metric, type Scores } from '../importance/sums/scores.ts';
export type { MeasuredPlan, Measurement } from '../plan/measured.ts';
export { METHODS, MODEL_METHODS, parseMethod } from '../plan/methods/methods.ts';
export type { LayerPlan, Plan, Recipe } from '../plan/plan.ts';
export { decodePlan, encodePlan, parsePlan } from '../plan/plan-file.ts';
export type { PlanOptions } from '../plan/plan-options.ts';
export type { LongRunning, OnProgress, Progress } from '../progress.ts';
export type { Adapter } from '../runtime/adapter.ts';
export type { Backend, Runtime, RuntimeStatistics } from '../runtime/runtime.ts';
export { type ApplyPlanOptions, applyPlan } from './apply-plan.ts';
export { calibrationOf, calibrationOfTokenIds } from './calibration.ts';
export { type Chat, type ChatOptions, openChat } from './chat.ts';
export { compare } from './comparison/compare.ts';
export { type MethodPair, pairedMethods, tasksMarkdown } from './comparison/comparison-pairs.ts';
export { comparisonCsv, comparisonMarkdown } from './comparison/comparison-table.ts';
export type { CompareOptions, ComparisonCalibration, ComparisonRow } from './comparison/types.ts';
export { type EvaluateOptions, evaluate } from './evaluate.ts';
export { type ExportPrunedOptions, exportArchive } from './export.ts';
export type { ExportedModel, OpenExportedOptions } from './exported-model.ts';
export { type GenerateOptions, type Generator, generate, generateTokens } from './generate.ts';
export { type Inspection, inspect } from './inspect.ts';
export { mergeScores } from './merge-scores.ts';
export { OpenModel } from './open-model.ts';
export type { HubAccess, OpenModelOptions } from './open-on.ts';
export { plan, planFor, readPlan } from './plan.ts';
export { type PlanInPassesOptions, planInPasses } from './plan-in-passes.ts';
export type { Pruned, PruneOptions } from './prune.ts';
export { type Pushed, type PushOptions, push } from './push.ts';
export {
  type Recovered,
  type RecoverOptions,
  type RecoveryCheckpoint,
  type RecoveryProgress,
  type RecoveryRecord,
  recover,
  type TrainingWindow,
} from './recover.ts';
export { type RefineOptions, refine } from './refine.ts';
export { parseMetrics, type ScoreOptions, type ScoreRun, score } from './score.ts';
export { type ScoreShardOptions, type SumsSink, scoreShard } from './score-shard.ts';
export { exactStorage, exportedBytes } from './storage.ts';
export { type EvaluateTasksOptions, evaluateTasks, type TaskItemResult } from './tasks.ts';
export { readTrainingData, type TrainingData, type TrainingDataOptions } from './training-data.ts';
export { VERSION } from './version.ts';
