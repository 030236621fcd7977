import { countParameters } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { sha256OfText } from '../checkpoint/files/sha256.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { DeviceLostError, UsageError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { generate } from '../generate/generate.ts';
import { reopenElsewhere } from '../generate/reopen.ts';
import type { Scores } from '../importance/sums/scores.ts';
import { inspect } from '../library/inspect.ts';
import { OpenModel } from '../library/open-model.ts';
import { refine } from '../library/refine.ts';
import { score } from '../library/score.ts';
import { exactStorage } from '../library/storage.ts';
import { makePlan } from '../plan/make-plan.ts';
import type { Plan } from '../plan/plan.ts';
import type { PlanOptions } from '../plan/plan-options.ts';
import type { LongRunning } from '../progress.ts';
import { SerialQueue } from '../runtime/queue.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Platform, startBackend } from './backend.ts';
import { breathing } from './breathing.ts';
import { DecoderCache } from './decoder-cache.ts';
import { DecoderChecks } from './decoder-checks.ts';
import { deliver } from './deliver.ts';
import { lossSentence, movedTo, replacementRuntime, survivingLoss } from './device-loss.ts';
import type { BackendInfo, Compensation, Engine, ModelSource, ModelSummary, Repair } from './engine.ts';
import { type KeptFile, lenient } from './kept-file.ts';
import { TrainingKeeper } from './kept-training.ts';
import { recoverModel, trainingKey } from './recovery.ts';
import { RepairedModels, repairKey } from './repaired-models.ts';
import { measureSpeeds } from './speed.ts';
import { measureTask } from './tasks.ts';

/** What the engine needs of where it runs: runtimes, and models. */
export interface StudioPlatform extends Platform, Pick<Engine, 'offer' | 'stored' | 'forget'> {
  open(source: ModelSource, options: LongRunning): Promise<Checkpoint>;
  /** Where scoring keeps what is finished, so that a closed page goes on; absent where there is no such place. */
  readonly scoreState?: KeptFile;
  /** Where a recovery keeps its training, likewise. */
  readonly training?: KeptFile;
}

/** The engine behind the page: the library's verbs on one runtime and one open model. Heavy calls run one after another. */
export function createStudioEngine(platform: StudioPlatform): Engine {
  const queue = new SerialQueue();
  const notes: string[] = [];
  const decoders = new DecoderCache(
    () => models.columns,
    (key) =>
      notes.push(
        `The ${key === 'dense' ? 'dense' : 'earlier pruned'} model was freed from memory to make room; it is loaded again when it is asked for.`,
      ),
  );
  const checks = new DecoderChecks(
    () => platform.createRuntime('wasm'),
    (sentence) => notes.push(sentence),
  );
  let started: Promise<{ readonly runtime: Runtime; readonly info: BackendInfo }> | undefined;
  let opened: OpenModel | undefined;

  const model = (): OpenModel => {
    if (!opened) throw new UsageError('No model is open. Open one first.');
    return opened;
  };
  const tokenIds = textCache(async (text) => (await model().tokenizer()).encode(text, { addSpecialTokens: false }));
  const windowsOf = async (text: string, length: number) => tokenWindows(await tokenIds.of(text), { length });
  /** Windows drawn by seed: `windows` of them, or as many as the text has. */
  const drawn = async ({ text, windows, length, seed }: Omit<Compensation, 'compensate' | 'lambda'>) => {
    const ids = await tokenIds.of(text);
    return tokenWindows(ids, { length, count: Math.max(1, Math.min(windows, Math.floor(ids.length / length))), seed });
  };
  const models = new RepairedModels(model, drawn);
  const trainings = new TrainingKeeper(platform.training);
  const decoderOf = (plan: Plan | null, repair: Repair | undefined, options: LongRunning) =>
    decoders.get(plan === null ? 'dense' : repairKey(plan, repair), () =>
      models.use(plan, repair, options, (open) => checks.open(open, options)),
    );
  const bytesOf = (plan: Plan | null) =>
    models.use(plan, undefined, {}, async (open) => 4 * countParameters(open.model).parameters);
  const exactly = (scores: Scores, options: PlanOptions): PlanOptions => ({
    ...options,
    storage: exactStorage(model(), scores, options),
  });

  /** Puts a new device in the place of a lost one, with the open model on it. */
  const replaceDevice = async (): Promise<string> => {
    const lost = await started;
    decoders[Symbol.dispose]();
    const runtime = breathing(await replacementRuntime(platform));
    if (lost) started = Promise.resolve({ runtime, info: { ...lost.info, ...infoOf(runtime) } });
    opened = movedTo(runtime, model());
    lost?.runtime.dispose();
    return lossSentence(runtime);
  };
  /** Heavy calls wait for each other, and outlive a lost device; `mayRepeat` says whether what was done can be done over. */
  const heavy = <Result>(
    work: () => Promise<Result>,
    { onProgress }: LongRunning = {},
    mayRepeat = () => true,
  ): Promise<Result> => {
    const replace = async () => {
      const progress = {
        stage: 'opening the model on a new graphics device: the one before was lost',
        total: 1,
        unit: 'steps',
      } as const;
      onProgress?.({ ...progress, completed: 0 });
      const sentence = await replaceDevice();
      onProgress?.({ ...progress, completed: 1 });
      notes.push(sentence);
      return sentence;
    };
    return queue.run(() => survivingLoss(work, replace, mayRepeat));
  };

  return {
    async backend(choice) {
      started ??= startBackend(choice, platform).then(({ runtime, info }) => ({ runtime: breathing(runtime), info }));
      return (await started).info;
    },

    offer: platform.offer,
    stored: platform.stored,
    forget: platform.forget,

    openModel: (source, options = {}) =>
      queue.run(async () => {
        if (!started) throw new UsageError('No backend is started. Choose one first.');
        const { runtime } = await started;
        const next = new OpenModel(runtime, await platform.open(source, options));
        decoders[Symbol.dispose]();
        models.clear();
        tokenIds.clear();
        opened?.dispose();
        opened = next;
        return summary(next, (await next.tokenizer()).chatTemplate !== undefined);
      }),

    score: ({ text, source, windows, length, seed }, options = {}) =>
      heavy(async () => {
        const chosen = tokenWindows(await tokenIds.of(text), { length, count: windows, seed });
        // A driver can be wrong without an error: WebGPU's scores are compared with WASM's.
        const crossCheck =
          model().runtime.backend === 'webgpu' ? { start: () => platform.createRuntime('wasm') } : undefined;
        const state = platform.scoreState && lenient(platform.scoreState);
        const run = await score(model(), {
          windows: chosen,
          calibration: { source, sha256: await sha256OfText(text), seed },
          crossCheck,
          state,
          ...options,
        });
        await state?.clear();
        return run.scores;
      }, options),

    windows: async ({ text, windows, length, seed, from, count }) => {
      const ids = await tokenIds.of(text);
      const tokenizer = await model().tokenizer();
      const chosen = tokenWindows(ids, { length, count: windows, seed }).slice(from, from + count);
      return {
        tokens: ids.length,
        available: Math.floor(ids.length / length),
        texts: chosen.map((window) => tokenizer.decode([...window])),
      };
    },

    refine: ({ scores, options: plan, evaluations, ...calibration }, options = {}) =>
      heavy(async () => {
        const { search: _, ...asked } = plan;
        const found = await refine(model(), scores, {
          ...{
            plan: exactly(scores, asked),
            windows: await drawn({ ...calibration, seed: calibration.seed + 1 }),
            evaluations,
          },
          ...options,
        });
        return { ...found, measurements: found.measurements.map(({ name, loss }) => ({ name, loss })) };
      }, options),

    fit: async (scores, options) => makePlan(scores, exactly(scores, options)),

    evaluate: (plan, { text, windows, length, repair }, options = {}) =>
      heavy(async () => {
        const start = performance.now();
        const chosen = (await windowsOf(text, length)).slice(0, windows);
        const result = await models.use(plan, repair, options, (open) =>
          perplexity(open.programs, open.store, chosen, options),
        );
        const { perplexity: value, standardError, tokens } = result;
        return {
          perplexity: value,
          standardError,
          tokens,
          windows: chosen.length,
          seconds: (performance.now() - start) / 1000,
        };
      }, options),

    task: (plan, request, options = {}) =>
      heavy(
        async () => {
          if (request.through === 'blocks')
            return models.use(plan, request.repair, options, (open) => measureTask(open, request, options));
          const { maximumPositions } = model().config;
          return measureTask(
            {
              decoder: await decoderOf(plan, request.repair, options),
              tokenizer: await model().tokenizer(),
              maximumPositions,
            },
            request,
            options,
          );
        },
        options,
        never,
      ),

    keptTraining: async (plan, request) => (await trainings.find(() => trainingKey(model(), plan, request))) ?? null,

    forgetTraining: () => trainings.clear(),

    recover: (plan, request, options = {}) =>
      heavy(
        () =>
          models.use(plan, request.repair, options, async (open) => {
            const key = await trainingKey(model(), plan, request);
            const windows = await windowsOf(request.text, request.length);
            const { checkpoint, ...recovery } = await recoverModel(
              open,
              windows,
              { ...request, key, ratio: plan.ratio },
              trainings,
              options,
            );
            return { ...recovery, recovered: models.keepRecovered(checkpoint) };
          }),
        options,
        never,
      ),

    speed: (plan, request, options = {}) =>
      heavy(async () => {
        const { vocabulary } = model().config;
        // Speed does not depend on which tokens are read.
        const prompt = Array.from({ length: request.promptTokens }, (_, index) => (index * 7919 + 17) % vocabulary);
        const dense = { decoder: await decoderOf(null, undefined, options), bytes: await bytesOf(null) };
        const pruned = { decoder: await decoderOf(plan, request.repair, options), bytes: await bytesOf(plan) };
        const [first, second] = await measureSpeeds([dense, pruned], prompt, request, options);
        if (!first || !second) throw new UsageError('A speed measurement needs two models.');
        return { dense: first, pruned: second };
      }, options),

    generate: (plan, { prompt, maxNewTokens, temperature, seed, chat, repair }, options = {}) => {
      let shown = 0;
      const write = async () => {
        const tokenizer = await model().tokenizer();
        const decoder = await decoderOf(plan, repair, options);
        const { finish: _finish, ...generation } = await generate(
          decoder,
          tokenizer,
          promptIds(tokenizer, prompt, chat),
          {
            ...{ maxNewTokens, temperature, seed, signal: options.signal },
            maximumPositions: model().config.maximumPositions,
            onToken({ tokenId, text, probability }) {
              shown += 1;
              options.onToken?.({ id: tokenId, text, probability });
            },
            async reopen(fault) {
              if (!(fault instanceof DeviceLostError))
                return models.use(plan, repair, options, (open) =>
                  reopenElsewhere(open.model, platform.createRuntime, options)(fault),
                );
              await replaceDevice();
              return { decoder: await decoderOf(plan, repair, options), owned: false };
            },
            onRecovered: (sentence) => notes.push(sentence),
          },
        );
        const told = notes.splice(0);
        return told.length === 0 ? generation : { ...generation, notes: told };
      };
      return heavy(write, options, () => shown === 0);
    },

    export: (plan, request, options = {}) =>
      heavy(
        () => models.use(plan, request.repair, options, (open) => deliver(open, plan, request, windowsOf, options)),
        options,
      ),
  };
}

const never = () => false;

function infoOf({ backend, description }: Runtime): Partial<BackendInfo> {
  return backend === 'webgpu'
    ? {}
    : { backend: 'wasm', description, reason: 'The graphics device was lost, and no other is offered.' };
}

function summary(open: OpenModel, chat: boolean): ModelSummary {
  const { name, architecture, licence, parameters, bytes, vocabulary, hiddenSize, layers } = inspect(open);
  return {
    name,
    architecture,
    licence,
    parameters,
    bytes,
    vocabulary,
    hiddenSize,
    maximumPositions: open.config.maximumPositions,
    chat,
    layers,
  };
}

/** A prompt as it is, or as the one message of a conversation. */
function promptIds(tokenizer: Tokenizer, prompt: string, chat: boolean): number[] {
  if (!chat) return tokenizer.encode(prompt);
  return tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content: prompt }]), {
    addSpecialTokens: false,
  });
}

/** Remembers the token ids of the last texts: calibration and evaluation use the same ones again and again. */
function textCache(encode: (text: string) => Promise<number[]>) {
  const known = new Map<string, number[]>();
  return {
    async of(text: string): Promise<number[]> {
      const ids = known.get(text) ?? (await encode(text));
      known.delete(text);
      known.set(text, ids);
      if (known.size > 3) known.delete(known.keys().next().value ?? '');
      return ids;
    },
    /** Another model has another tokenizer. */
    clear: () => known.clear(),
  };
}
