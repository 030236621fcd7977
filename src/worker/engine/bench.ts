import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { throwIfCancelled, UsageError } from '../../errors.ts';
import { tokenWindows } from '../../evaluate/token-windows.ts';
import type { Decoder } from '../../generate/decoder.ts';
import { DecoderChecks } from '../../library/decoder-checks.ts';
import type { DownloadOffer, HubAccess, ModelSource, StoredModel } from '../../library/model-sources.ts';
import { OpenModel } from '../../library/open-model.ts';
import type { Plan } from '../../plan/plan.ts';
import type { LongRunning } from '../../progress.ts';
import { breathing } from '../../runtime/breathing.ts';
import { SerialQueue } from '../../runtime/queue.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { type BackendChoice, type BackendInfo, type BackendPlatform, startBackend } from './backend.ts';
import { DecoderCache } from './decoder-cache.ts';
import { lossSentence, movedTo, replacementRuntime, survivingLoss } from './device-loss.ts';
import type { KeptFile } from './kept-file.ts';
import { TrainingKeeper } from './kept-training.ts';
import { type Calibration, type Repair, RepairedModels, repairKey } from './repaired-models.ts';
import { TextCache } from './text-cache.ts';

/** What the engine needs of where it runs: runtimes, and models. */
export interface Platform extends BackendPlatform {
  open(source: ModelSource, options: LongRunning): Promise<Checkpoint>;
  offer(name: string, options?: LongRunning & HubAccess): Promise<DownloadOffer>;
  stored(): Promise<readonly StoredModel[]>;
  forget(model: Pick<StoredModel, 'id' | 'commit'>): Promise<void>;
  /** Where scoring keeps what is finished, so that a closed page goes on; absent where there is no such place. */
  readonly scoreState?: KeptFile;
  /** Where a recovery keeps its training, likewise. */
  readonly training?: KeptFile;
}

/** Smaller models are loaded again before anyone could read that they were freed. */
const TOLD_BYTES = 100e6;

/** What all calls share: one runtime, the open model on it with the models made of it, and the order of heavy work. */
export class Bench {
  readonly platform: Platform;
  /** Pruned, repaired and recovered models of the open one. */
  readonly models: RepairedModels;
  readonly trainings: TrainingKeeper;
  /** What happened on the way, in sentences, until a generation tells it. */
  readonly notes: string[] = [];
  readonly #queue = new SerialQueue();
  readonly #decoders: DecoderCache;
  readonly #checks: DecoderChecks;
  readonly #texts: TextCache;
  #started: Promise<{ readonly runtime: Runtime; readonly info: BackendInfo }> | undefined;
  #opened: OpenModel | undefined;
  #opening = 0;

  constructor(platform: Platform) {
    this.platform = platform;
    this.models = new RepairedModels(
      () => this.model,
      (calibration) => this.drawn(calibration),
    );
    this.trainings = new TrainingKeeper(platform.training);
    this.#decoders = new DecoderCache(
      () => this.models.columns,
      (key) => {
        if (this.model.model.checkpoint.byteLength < TOLD_BYTES) return;
        this.notes.push(
          `The ${key === 'dense' ? 'dense' : 'earlier pruned'} model was freed from memory to make room; it is loaded again when it is asked for.`,
        );
      },
    );
    this.#checks = new DecoderChecks(
      () => platform.createRuntime('wasm'),
      (sentence) => this.notes.push(sentence),
    );
    this.#texts = new TextCache(async (text) =>
      (await this.model.tokenizer()).encode(text, { addSpecialTokens: false }),
    );
  }

  /** The open model. Throws UsageError when there is none. */
  get model(): OpenModel {
    if (!this.#opened) throw new UsageError('No model is open. Open one first.');
    return this.#opened;
  }

  /** Starts a backend; the first call decides. */
  async start(choice: BackendChoice): Promise<BackendInfo> {
    this.#started ??= startBackend(choice, this.platform).then(({ runtime, info }) => ({
      runtime: breathing(runtime),
      info,
    }));
    return (await this.#started).info;
  }

  /** Opens a model in place of the one before. Throws UsageError before a backend is started, CancelledError while the one before is still there. */
  async open(
    source: ModelSource,
    options: LongRunning,
  ): Promise<{ readonly open: OpenModel; readonly opening: number }> {
    return this.#queue.run(async () => {
      if (!this.#started) throw new UsageError('No backend is started. Choose one first.');
      const { runtime } = await this.#started;
      const next = new OpenModel(runtime, await this.platform.open(source, options));
      // What is wrong with its files is told while the one before is still there.
      try {
        await next.tokenizer();
        throwIfCancelled(options.signal);
      } catch (error) {
        next.dispose();
        throw error;
      }
      this.#decoders[Symbol.dispose]();
      this.models.clear();
      this.#texts.clear();
      this.#opened?.dispose();
      this.#opened = next;
      this.#opening += 1;
      return { open: next, opening: this.#opening };
    });
  }

  /** Number of the last opening, once everything asked for before is done; 0 when there was none. */
  lastOpening(): Promise<number> {
    return this.#queue.run(() => this.#opening);
  }

  /** Token ids of a text, without special tokens. */
  tokenIds(text: string): Promise<readonly number[]> {
    return this.#texts.of(text);
  }

  /** A text in windows of `length` tokens, in order. */
  async windowsOf(text: string, length: number): Promise<readonly ArrayLike<number>[]> {
    return tokenWindows(await this.tokenIds(text), { length });
  }

  /** Windows drawn by seed: `windows` of them, or as many as the text has. */
  async drawn({ text, windows, length, seed }: Calibration): Promise<readonly ArrayLike<number>[]> {
    const ids = await this.tokenIds(text);
    return tokenWindows(ids, { length, count: Math.max(1, Math.min(windows, Math.floor(ids.length / length))), seed });
  }

  /** The decoder of a model, which the bench keeps and disposes. */
  decoderOf(plan: Plan | null, repair: Repair | undefined, options: LongRunning): Promise<Decoder> {
    return this.#decoders.get(plan === null ? 'dense' : repairKey(plan, repair), () =>
      this.models.use(plan, repair, options, (open) => this.#checks.open(open, options)),
    );
  }

  /** Heavy calls wait for each other, and outlive a lost device; `mayRepeat` says whether what was done can be done over. */
  heavy<Result>(
    work: () => Promise<Result>,
    { onProgress }: Pick<LongRunning, 'onProgress'> = {},
    mayRepeat = () => true,
  ): Promise<Result> {
    const replace = async () => {
      const progress = {
        stage: 'opening the model on a new graphics device: the one before was lost',
        total: 1,
        unit: 'steps',
      } as const;
      onProgress?.({ ...progress, completed: 0 });
      const sentence = await this.replaceDevice();
      onProgress?.({ ...progress, completed: 1 });
      this.notes.push(sentence);
      return sentence;
    };
    return this.#queue.run(() => survivingLoss(work, replace, mayRepeat));
  }

  /** Puts a new device in the place of a lost one, with the open model on it; returns the sentence that says so. */
  async replaceDevice(): Promise<string> {
    const lost = await this.#started;
    this.#decoders[Symbol.dispose]();
    const runtime = breathing(await replacementRuntime(this.platform));
    if (lost) this.#started = Promise.resolve({ runtime, info: { ...lost.info, ...infoOf(runtime) } });
    this.#opened = movedTo(runtime, this.model);
    lost?.runtime.dispose();
    return lossSentence(runtime);
  }
}

function infoOf({ backend, description }: Runtime): Partial<BackendInfo> {
  return backend === 'webgpu'
    ? {}
    : { backend: 'wasm', description, reason: 'The graphics device was lost, and no other is offered.' };
}
