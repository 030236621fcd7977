/** What of the public library needs neither Node nor a browser: src/index.ts and src/web.ts add how models are opened and where exports go. */
export type { LayerWidths, ModelConfig, RecurrenceSizes } from '../architecture/architecture.ts';
export type { Precision } from '../architecture/precision.ts';
export type { ByteSource, Checkpoint, Provenance, RotaryRow, TensorInfo } from '../checkpoint/checkpoint.ts';
export { blobFolder } from '../checkpoint/files/file.ts';
export type { FileAccess } from '../checkpoint/files/files.ts';
export type { HttpOptions } from '../checkpoint/files/http.ts';
export { httpFolder } from '../checkpoint/files/http.ts';
export { openCheckpoint } from '../checkpoint/folder.ts';
export type { GroupQuantised } from '../checkpoint/group-quantised.ts';
export type { OpenOptions as CheckpointOptions } from '../checkpoint/open-options.ts';
export type { DownloadPlan } from '../checkpoint/store/hub.ts';
export type { HubFile } from '../checkpoint/store/hub-files.ts';
export type { HubModel } from '../checkpoint/store/hub-model.ts';
export type { ChatMessage, ChatOptions } from '../checkpoint/tokenizer/chat-template.ts';
export { loadTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
export type { ExportDataType } from '../decoder/dtypes.ts';
export * from '../errors.ts';
export type { DenseReference, Divergence } from '../evaluate/divergence/dense-reference.ts';
export type { Teacher } from '../evaluate/divergence/teacher.ts';
export type { PerplexityResult } from '../evaluate/perplexity.ts';
export { readTask, type Task, type TaskItem } from '../evaluate/tasks.ts';
export { type PairedComparison, pairedComparison } from '../evaluate/tasks-paired.ts';
export type { Prompt } from '../evaluate/tasks-prompts.ts';
export { type PromptFormat, promptFormat } from '../evaluate/tasks-prompts.ts';
export type { TaskResult } from '../evaluate/tasks-result.ts';
export type { TextFile } from '../evaluate/text.ts';
export { joinTexts, readTexts, readTokenIds } from '../evaluate/text.ts';
export type { WindowOptions } from '../evaluate/token-windows.ts';
export { tokenWindows } from '../evaluate/token-windows.ts';
export type { CardFields } from '../export/card-fields.ts';
export type { ExportResult, MeasureExport } from '../export/export-model.ts';
export type { GgufType } from '../export/gguf/blocks.ts';
export type { ModelPath, OpenedModel, OutputFolder, WrittenFile } from '../export/output-folder.ts';
export type { SafetensorsType } from '../export/safetensors/weights.ts';
export type { TakeAwayFormat, TakenAway } from '../export/take-away.ts';
export type { VerificationSource } from '../export/verification-windows.ts';
export type { Verification } from '../export/verify.ts';
export type { DecodingOptions, GeneratedToken, Generation } from '../generate/generate.ts';
export type { SamplingOptions } from '../generate/sampling.ts';
export type { BackendNote, CrossCheck } from '../importance/cross-check.ts';
export { decodeScores, encodeScores } from '../importance/files/score-file.ts';
export { openSumsFile, type SumsFile, type SumsInfo } from '../importance/files/sums-file.ts';
export type { GroupCount, LayerGroups } from '../importance/structures/structures.ts';
export type { LayerSums, Seen } from '../importance/sums/layer-sums.ts';
export type { ModuleScores } from '../importance/sums/scores.ts';
export { type LayerScores, METRICS, type Metric, type Scores } from '../importance/sums/scores.ts';
export type { FusionScope } from '../plan/fusion.ts';
export type { MeasuredPlan, Measurement } from '../plan/measured.ts';
export type { MethodRecipe, ModelMetric, Planning } from '../plan/methods/method.ts';
export type { Method } from '../plan/methods/methods.ts';
export { METHODS, parseMethod, SCORE_METHODS } from '../plan/methods/methods.ts';
export type { FurtherMetrics } from '../plan/metric.ts';
export type { LayerPlan, Plan, Recipe } from '../plan/plan.ts';
export { decodePlan, encodePlan, parsePlan } from '../plan/plan-file.ts';
export type { PlanOptions } from '../plan/plan-options.ts';
export type { Target } from '../plan/recipe.ts';
export type { StorageCost } from '../plan/search/storage.ts';
export type { LongRunning, OnProgress, Progress } from '../progress.ts';
export type { RecoveryLoss } from '../recovery/distillation.ts';
export type { StopReason } from '../recovery/train.ts';
export type { Adapter } from '../runtime/adapter.ts';
export type { Backend, Runtime, RuntimeStatistics, SessionOptions } from '../runtime/runtime.ts';
export type { Compensation } from '../surgery/compensate.ts';
export { type ApplyPlanOptions, applyPlan } from './apply-plan.ts';
export {
  type Calibration,
  type CalibrationText,
  type CalibrationTextOptions,
  calibrationOf,
  calibrationOfText,
  calibrationOfTokenIds,
} from './calibration.ts';
export { type Chat, type OpenChatOptions, openChat } from './chat.ts';
export { compare } from './comparison/compare.ts';
export type { Difference, PairedMeans, PairedTasks } from './comparison/comparison-pairs.ts';
export { type MethodPair, pairedMethods, tasksMarkdown } from './comparison/comparison-pairs.ts';
export { comparisonCsv, comparisonMarkdown } from './comparison/comparison-table.ts';
export type {
  CompareOptions,
  ComparisonCalibration,
  ComparisonRow,
  ComparisonTraining,
  RowDivergence,
  RowRecovery,
} from './comparison/types.ts';
export type { Damage } from './damage.ts';
export { denseReference } from './dense-reference.ts';
export { type EvaluateOptions, evaluate } from './evaluate.ts';
export { type ExportPrunedOptions, exportArchive, type Rounding } from './export.ts';
export type { ExportedModel, OpenDecoder, OpenExportedOptions } from './exported-model.ts';
export { type GenerateOptions, type Generator, generate, generateTokens } from './generate.ts';
export { type Inspection, inspect } from './inspect.ts';
export { mergeScores } from './merge-scores.ts';
export { OpenModel, type OpenOptions } from './open-model.ts';
export type { HubSource, OpenModelOptions } from './open-on.ts';
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
export type { BackendChoice, RuntimeOptions } from './runtime-options.ts';
export { type SampledText, type SampleOptions, sample } from './sample.ts';
export type { PrecisionNote, ScoreNote, ScoreObjective } from './score.ts';
export { parseMetrics, type ScoreOptions, type ScoreRun, score } from './score.ts';
export type { PrecisionChoice } from './score-precision.ts';
export type { ScoreStateStore } from './score-resume.ts';
export type { ShardRun } from './score-shard.ts';
export { type ScoreShardOptions, type SumsSink, scoreShard } from './score-shard.ts';
export { exportedBytes } from './storage.ts';
export type { TaskScores } from './task-scores.ts';
export type { TaskModel } from './tasks.ts';
export { type EvaluateTasksOptions, evaluateTasks, type TaskItemResult } from './tasks.ts';
export { readTrainingData, type TrainingData, type TrainingDataOptions } from './training-data.ts';
export { VERSION } from './version.ts';
export type { TrimmedVocabulary, VocabularyCost } from './vocabulary.ts';
