import { expectTypeOf } from 'vitest';
import type { MeasuringSpeed, SpeedComparison } from '../evaluate/speed/speed.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { ComparisonRow } from '../library/comparison/types.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { LongRunning } from '../progress.ts';
import type {
  BackendChoice,
  BackendInfo,
  ComparedCell,
  DeviceFacts,
  DownloadOffer,
  DrawnWindows,
  Engine,
  EvaluateRequest,
  ExportedModel,
  ExportRequest,
  GenerateRequest,
  Generating,
  Generation,
  HubAccess,
  KeptTraining,
  MeasuredVocabulary,
  MeasuringTask,
  ModelSource,
  ModelSummary,
  PassesRequest,
  PerplexityMeasurement,
  PublishRequest,
  Pushed,
  Recovering,
  RecoverRequest,
  Recovery,
  Refinement,
  RefineRequest,
  SampleRequest,
  ScoreRequest,
  Scoring,
  SpeedRequest,
  StoredModel,
  TaskLikelihoods,
  TaskRequest,
  VocabularyRequest,
  WindowsRequest,
} from './engine.ts';
import { type Callable, connect } from './rpc.ts';

/** What the page builds on: a change of a call's signature is a change here. */
expectTypeOf<Engine>().toEqualTypeOf<{
  backend(choice: BackendChoice): Promise<BackendInfo>;
  openModel(source: ModelSource, options?: LongRunning): Promise<ModelSummary>;
  lastOpening(): Promise<number>;
  offer(name: string, options?: LongRunning & HubAccess): Promise<DownloadOffer>;
  stored(): Promise<readonly StoredModel[]>;
  forget(model: Pick<StoredModel, 'id' | 'commit'>): Promise<void>;
  score(request: ScoreRequest, options?: Scoring): Promise<Scores>;
  sample(request: SampleRequest, options?: LongRunning): Promise<string>;
  windows(request: WindowsRequest, options?: LongRunning): Promise<DrawnWindows>;
  refine(request: RefineRequest, options?: LongRunning): Promise<Refinement>;
  planInPasses(request: PassesRequest, options?: LongRunning): Promise<Plan>;
  fit(scores: Scores, options: PlanOptions): Promise<Plan>;
  evaluate(plan: Plan | null, request: EvaluateRequest, options?: LongRunning): Promise<PerplexityMeasurement>;
  task(plan: Plan | null, request: TaskRequest, options?: MeasuringTask): Promise<TaskLikelihoods>;
  compareCell(cell: ComparedCell, options?: LongRunning): Promise<ComparisonRow>;
  device(options?: LongRunning): Promise<DeviceFacts>;
  speed(plan: Plan, request: SpeedRequest, options?: MeasuringSpeed): Promise<SpeedComparison>;
  keptTraining(plan: Plan, request: RecoverRequest): Promise<KeptTraining | null>;
  forgetTraining(): Promise<void>;
  recover(plan: Plan, request: RecoverRequest, options?: Recovering): Promise<Recovery>;
  generate(plan: Plan | null, request: GenerateRequest, options?: Generating): Promise<Generation>;
  export(plan: Plan, request: ExportRequest, options?: LongRunning): Promise<ExportedModel>;
  publish(request: PublishRequest, options?: LongRunning): Promise<Pushed>;
  vocabulary(plan: Plan, request: VocabularyRequest, options?: LongRunning): Promise<MeasuredVocabulary>;
}>();

/** Every call can cross the boundary, and the page's end has the type of the worker's. */
expectTypeOf<Engine>().toExtend<Callable<Engine>>();
expectTypeOf(connect<Engine>).returns.toEqualTypeOf<Engine>();

/** What ends early is told to stop; all else is cancelled. */
expectTypeOf<Recovering>().not.toHaveProperty('signal');
expectTypeOf<Generating['signal']>().toEqualTypeOf<AbortSignal | undefined>();

// @ts-expect-error Options go last: requests are plain data.
expectTypeOf<Engine['evaluate']>().toBeCallableWith({ signal: new AbortController().signal });
// @ts-expect-error A refinement starts from scores.
expectTypeOf<Omit<RefineRequest, 'scores'>>().toExtend<RefineRequest>();
