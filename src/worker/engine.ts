import type { Task } from '../evaluate/tasks.ts';
import type { LayerGroups } from '../importance/structures/structures.ts';
import type { Scores } from '../importance/sums/scores.ts';
import type { Recovered, RecoveryProgress, RecoveryRecord } from '../library/recover.ts';
import type { TaskItemResult } from '../library/tasks.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { LongRunning } from '../progress.ts';

/** A model that the page can ask for: served with the page (`public/models/{id}/`), picked or dropped files, or one of a model hub. */
export type ModelSource =
  | { readonly kind: 'embedded'; readonly id: string }
  | { readonly kind: 'files'; readonly files: readonly PickedFile[] }
  | { readonly kind: 'hub' /** 'org/name', 'org/name@revision' or an address. */; readonly name: string };

/** A file that the reader picked or dropped. `path` is relative to what was picked. */
export interface PickedFile {
  readonly path: string;
  readonly blob: Blob;
}

/** What a download from a hub would bring. */
export interface DownloadOffer {
  readonly name: string;
  readonly licence: string | undefined;
  readonly bytes: number;
  /** Of these, bytes that are stored already. */
  readonly present: number;
}

/** A model of a hub that is stored in this browser. */
export interface StoredModel {
  readonly id: string;
  readonly commit: string;
  readonly revision: string;
  readonly licence: string | undefined;
  readonly bytes: number;
}

/** What the page shows about an opened model. */
export interface ModelSummary {
  readonly name: string;
  /** 'llama', … */
  readonly architecture: string;
  readonly licence: string | undefined;
  /** Parameters of the whole model. */
  readonly parameters: number;
  /** Bytes of the weight file. */
  readonly bytes: number;
  readonly vocabulary: number;
  readonly hiddenSize: number;
  readonly maximumPositions: number;
  /** Whether prompts can be put into the model's chat template. */
  readonly chat: boolean;
  readonly layers: readonly LayerGroups[];
}

/** One check on the way to WebGPU, in the order in which they were made. */
export interface BackendCheck {
  /** For people, e.g. 'An adapter is offered'. */
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** Where the engine computes, and why there. */
export interface BackendInfo {
  readonly backend: 'webgpu' | 'wasm';
  /** The adapter's vendor and architecture, or the number of WASM threads. */
  readonly description: string;
  /** Why WebGPU is not used; undefined when it is. */
  readonly reason: string | undefined;
  readonly checks: readonly BackendCheck[];
}

/** Which backend to try: `auto` prefers WebGPU and falls back to WASM with a reason. */
export type BackendChoice = 'auto' | 'webgpu' | 'wasm';

/** How a pruned model is repaired: by compensation, or by the training that a recovery was. Absent: not at all. */
export type Repair = Compensation | RecoveredModel;

/** The model that a recovery made, by the number that it gave; the engine remembers the last one. */
export interface RecoveredModel {
  readonly recovered: number;
}

/**
 * How the output projections of a pruned model are repaired without training: by which compensation, and the calibration windows that it learns from
 * (as many as the text has, up to `windows`).
 */
export interface Compensation {
  readonly compensate: 'bias' | 'least-squares';
  readonly text: string;
  readonly windows: number;
  /** Tokens per window. */
  readonly length: number;
  readonly seed: number;
  /** Ridge of least squares, relative to the mean diagonal. */
  readonly lambda: number;
}

/** A plan to start from, and the calibration windows that pruned models are measured on. */
export interface RefineRequest {
  readonly scores: Scores;
  /** Target and constraints; its search is left out. */
  readonly options: PlanOptions;
  readonly text: string;
  readonly windows: number;
  /** Tokens per window. */
  readonly length: number;
  readonly seed: number;
  /** Plans to measure beyond the closed-form searches and the baselines. */
  readonly evaluations: number;
}

/** The best plan that was measured, and the mean loss in nats of every one of them in order; the first `candidates` are closed-form. */
export interface Refinement {
  readonly plan: Plan;
  readonly loss: number;
  readonly measurements: readonly { readonly name: string; readonly loss: number }[];
  readonly candidates: number;
}

/** The calibration windows that a run would draw, from the `from`th on, `count` of them. */
export interface WindowsRequest extends Omit<ScoreRequest, 'source'> {
  readonly from: number;
  readonly count: number;
}

export interface DrawnWindows {
  /** Tokens of the whole text. */
  readonly tokens: number;
  /** Windows that the text has room for. */
  readonly available: number;
  /** The text of each window that was asked for, as the tokenizer decodes it. */
  readonly texts: readonly string[];
}

export interface ScoreRequest {
  /** Calibration text. */
  readonly text: string;
  /** Shown as the calibration's source, e.g. a file name. */
  readonly source: string;
  readonly windows: number;
  /** Tokens per window. */
  readonly length: number;
  readonly seed: number;
}

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
  readonly seconds: number;
}

export interface SpeedRequest {
  /** Tokens of the prompt. */
  readonly promptTokens: number;
  /** Tokens decoded after it. */
  readonly newTokens: number;
  readonly repeats: number;
  readonly repair?: Repair | undefined;
}

/** Medians over the repeats; spreads are half the way from the slowest repeat to the fastest. All in tokens per second. */
export interface SpeedMeasurement {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly prefillSpread: number;
  readonly decodeSpread: number;
  /** Bytes of all weights. */
  readonly bytes: number;
}

/** Dense and pruned measured in turn, repeat by repeat, so that whatever else the machine does falls on both. */
export interface SpeedComparison {
  readonly dense: SpeedMeasurement;
  readonly pruned: SpeedMeasurement;
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

export interface RecoverRequest {
  /** Text to train on; a share of its windows is held out and measured. */
  readonly text: string;
  /** Tokens per window. */
  readonly length: number;
  readonly method: 'group-wise' | 'lora';
  /** Of 'group-wise'. */
  readonly bits: 4 | 8;
  readonly steps: number;
  /** Windows of one step. */
  readonly batchWindows: number;
  readonly learningRate: number;
  readonly seed: number;
  /** What the pruned model had before the training. */
  readonly repair?: Repair | undefined;
  /** Go on from what is kept of this training, in place of starting anew; a finished one makes its model again without a step. See `keptTraining`. */
  readonly goOn?: boolean | undefined;
}

/** The training that is kept in this browser: finished when its last record is of its last step. */
export interface KeptTraining extends Pick<RecoverRequest, 'method' | 'bits' | 'steps'> {
  /** Of the pruned model. */
  readonly ratio: number;
  /** Held-out loss of the pruned model, in nats. */
  readonly heldOutBefore: number;
  /** The losses so far, by step. */
  readonly records: readonly RecoveryRecord[];
  /** Whether it is the training that was asked for: model, plan, repair, text and settings are the same. */
  readonly same: boolean;
}

/** How a recovery went, and the number of the model that it made. */
export interface Recovery extends RecoveredModel, Omit<Recovered, 'model'> {}

export interface GenerateRequest {
  readonly prompt: string;
  readonly maxNewTokens: number;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly seed: number;
  /** Put the prompt into the model's chat template. */
  readonly chat: boolean;
  readonly repair?: Repair | undefined;
}

/** One generated token, as it arrives. */
export interface GeneratedToken {
  readonly id: number;
  readonly text: string;
  /** What the model gave it, before temperature. */
  readonly probability: number;
}

export interface Generation {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly promptTokens: number;
  /** Seconds. */
  readonly timeToFirstToken: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** What happened on the way, in sentences: a model that was freed to make room, a device that was lost and replaced. */
  readonly notes?: readonly string[];
}

export interface ExportRequest {
  readonly dtype: 'f32' | 'f16' | 'q8' | 'q4';
  /** Text to verify on. */
  readonly text: string;
  readonly repair?: Repair | undefined;
  /** Measurements for the model card, one line each. */
  readonly figures?: Readonly<Record<string, string>> | undefined;
  /** A folder that the reader picked: a new one is written into it. Absent: a zip archive is made. */
  readonly folder?: FileSystemDirectoryHandle | undefined;
}

/** The exported graph against the block programs, over the positions that were compared. */
export interface Verification {
  readonly maxAbsoluteDifference: number;
  /** Share of positions whose most probable token is the same, 0 … 1. */
  readonly top1Agreement: number;
  readonly positions: number;
}

export interface ExportedModel {
  /** Name of the folder, e.g. 'stories-pruned-20'. */
  readonly name: string;
  /** The folder as a zip archive; undefined where it was written into a picked one. */
  readonly archive: Blob | undefined;
  /** The model card. */
  readonly card: Blob;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  readonly verification: Verification;
}

/** Options of long calls that also tell the page about single tokens. */
export interface Generating extends LongRunning {
  readonly onToken?: ((token: GeneratedToken) => void) | undefined;
}

/** Options of measuring a task: items as they are finished, to be kept. */
export interface MeasuringTask extends LongRunning {
  readonly onItems?: ((items: readonly TaskItemResult[]) => void) | undefined;
}

/** Options of a recovery: each step and measurement as it is made. A fired signal ends it with the best so far, once there is a first measurement. */
export interface Recovering extends LongRunning {
  readonly onStep?: ((progress: RecoveryProgress) => void) | undefined;
}

/** What any call can tell while it runs. */
export type CallOptions = Generating & MeasuringTask & Recovering;

/**
 * Everything that the page can ask for. A plan of `null` means the dense model.
 * All calls reject with an EspalierError; a fired signal rejects with CancelledError. Calls may overlap: the engine queues what must not.
 */
export interface Engine {
  /** Chooses and starts a backend. The first call decides; later calls return the same. */
  backend(choice: BackendChoice): Promise<BackendInfo>;
  /** Opens a model in place of the one before; a hub's is downloaded into this browser first. */
  openModel(source: ModelSource, options?: LongRunning): Promise<ModelSummary>;
  /** What opening a hub's model would download; asks the hub. */
  offer(name: string, options?: LongRunning): Promise<DownloadOffer>;
  /** Models of hubs that are stored in this browser. */
  stored(): Promise<readonly StoredModel[]>;
  forget(model: Pick<StoredModel, 'id' | 'commit'>): Promise<void>;
  score(request: ScoreRequest, options?: LongRunning): Promise<Scores>;
  windows(request: WindowsRequest, options?: LongRunning): Promise<DrawnWindows>;
  /** Searches the plan with the lowest measured loss on calibration windows (docs/method.md section 4, `measured`). */
  refine(request: RefineRequest, options?: LongRunning): Promise<Refinement>;
  /** A plan whose export stays within a target in bytes or memory to the byte: scores alone estimate the layout of an export, the open model knows it. */
  fit(scores: Scores, options: PlanOptions): Promise<Plan>;
  evaluate(plan: Plan | null, request: EvaluateRequest, options?: LongRunning): Promise<PerplexityMeasurement>;
  task(plan: Plan | null, request: TaskRequest, options?: MeasuringTask): Promise<TaskLikelihoods>;
  /** The training that is kept, as far as it went; null for nothing. */
  keptTraining(plan: Plan, request: RecoverRequest): Promise<KeptTraining | null>;
  forgetTraining(): Promise<void>;
  /**
   * Trains adapters on the pruned model (docs/method.md section 7). Cancelling resolves with the best so far. Until it is finished, or another is started, the
   * training is kept in this browser.
   */
  recover(plan: Plan, request: RecoverRequest, options?: Recovering): Promise<Recovery>;
  speed(plan: Plan, request: SpeedRequest, options?: LongRunning): Promise<SpeedComparison>;
  generate(plan: Plan | null, request: GenerateRequest, options?: Generating): Promise<Generation>;
  export(plan: Plan, request: ExportRequest, options?: LongRunning): Promise<ExportedModel>;
}
