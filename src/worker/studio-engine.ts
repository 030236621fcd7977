import { countParameters } from '../architecture/model.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { sha256OfText } from '../checkpoint/sha256.ts';
import type { Tokenizer } from '../checkpoint/tokenizer.ts';
import { UsageError } from '../errors.ts';
import { perplexity } from '../evaluate/perplexity.ts';
import { tokenWindows } from '../evaluate/windows.ts';
import { memoryFolder } from '../export/memory-folder.ts';
import { zipBlob } from '../export/zip.ts';
import { generate } from '../generate/generate.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import { exportPruned } from '../library/export.ts';
import { inspect } from '../library/inspect.ts';
import { OpenModel } from '../library/open-model.ts';
import { score } from '../library/score.ts';
import type { LongRunning } from '../progress.ts';
import { SerialQueue } from '../runtime/queue.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Plan } from '../surgery/plan.ts';
import { type Platform, startBackend } from './backend.ts';
import { breathing } from './breathing.ts';
import { DecoderCache } from './decoder-cache.ts';
import type { BackendInfo, Engine, ModelSource, ModelSummary } from './engine.ts';
import { measureSpeeds } from './speed.ts';
import { measureTask } from './tasks.ts';

/** What the engine needs of where it runs: runtimes, and models. */
export interface StudioPlatform extends Platform, Pick<Engine, 'offer' | 'stored' | 'forget'> {
  open(source: ModelSource, options: LongRunning): Promise<Checkpoint>;
}

/** Windows that an export is verified on: rounded numbers are judged by a share of positions, which takes more of them. */
const VERIFIED = { exact: { length: 96, windows: 1 }, rounded: { length: 128, windows: 2 } } as const;

/** The engine behind the page: the library's verbs on one runtime and one open model. Heavy calls run one after another. */
export function createStudioEngine(platform: StudioPlatform): Engine {
  const queue = new SerialQueue();
  const decoders = new DecoderCache();
  let started: Promise<{ readonly runtime: Runtime; readonly info: BackendInfo }> | undefined;
  let opened: OpenModel | undefined;

  const model = (): OpenModel => {
    if (!opened) throw new UsageError('No model is open. Open one first.');
    return opened;
  };
  const tokenIds = textCache(async (text) => (await model().tokenizer()).encode(text, { addSpecialTokens: false }));
  const windowsOf = async (text: string, length: number) => tokenWindows(await tokenIds(text), { length });

  /** The model under a plan, for as long as `use` runs. */
  const withPlan = async <Result>(plan: Plan | null, use: (open: OpenModel) => Promise<Result>): Promise<Result> => {
    if (plan === null) return use(model());
    using pruned = model().pruned(plan.layers);
    return await use(pruned);
  };
  const decoderOf = (plan: Plan | null, options: LongRunning) =>
    decoders.get(plan === null ? 'dense' : JSON.stringify(plan.layers), () => withPlan(plan, (open) => decoderForModel(open.runtime, open.model, options)));
  const bytesOf = (plan: Plan | null) => withPlan(plan, async (open) => 4 * countParameters(open.model).parameters);

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
        opened?.dispose();
        opened = next;
        return summary(next, (await next.tokenizer()).chatTemplate !== undefined);
      }),

    score: ({ text, source, windows, length, seed }, options = {}) =>
      queue.run(async () => {
        const drawn = tokenWindows(await tokenIds(text), { length, count: windows, seed });
        const run = await score(model(), { windows: drawn, calibration: { source, sha256: await sha256OfText(text), seed }, ...options });
        return run.scores;
      }),

    evaluate: (plan, { text, windows, length }, options = {}) =>
      queue.run(async () => {
        const start = performance.now();
        const chosen = (await windowsOf(text, length)).slice(0, windows);
        const result = await withPlan(plan, (open) => perplexity(open.programs, open.store, chosen, options));
        const { perplexity: value, standardError, tokens } = result;
        return { perplexity: value, standardError, tokens, windows: chosen.length, seconds: (performance.now() - start) / 1000 };
      }),

    task: (plan, request, options = {}) =>
      queue.run(async () => {
        if (request.through === 'blocks') return withPlan(plan, (open) => measureTask(open, request, options));
        const { maximumPositions } = model().config;
        return measureTask({ decoder: await decoderOf(plan, options), tokenizer: await model().tokenizer(), maximumPositions }, request, options);
      }),

    speed: (plan, request, options = {}) =>
      queue.run(async () => {
        const { vocabulary } = model().config;
        // Speed does not depend on which tokens are read.
        const prompt = Array.from({ length: request.promptTokens }, (_, index) => (index * 7919 + 17) % vocabulary);
        const dense = { decoder: await decoderOf(null, options), bytes: await bytesOf(null) };
        const pruned = { decoder: await decoderOf(plan, options), bytes: await bytesOf(plan) };
        const [first, second] = await measureSpeeds([dense, pruned], prompt, request, options);
        if (!first || !second) throw new UsageError('A speed measurement needs two models.');
        return { dense: first, pruned: second };
      }),

    generate: (plan, { prompt, maxNewTokens, temperature, seed, chat }, options = {}) =>
      queue.run(async () => {
        const tokenizer = await model().tokenizer();
        const decoder = await decoderOf(plan, options);
        const { finish: _finish, ...generation } = await generate(decoder, tokenizer, promptIds(tokenizer, prompt, chat), {
          ...{ maxNewTokens, temperature, seed, signal: options.signal },
          maximumPositions: model().config.maximumPositions,
          onToken: ({ tokenId, text, probability }) => options.onToken?.({ id: tokenId, text, probability }),
        });
        return generation;
      }),

    export: (plan, { dtype, text }, options = {}) =>
      queue.run(() =>
        withPlan(plan, async (open) => {
          const output = memoryFolder();
          const { length, windows } = dtype === 'f32' ? VERIFIED.exact : VERIFIED.rounded;
          const { files, verification } = await exportPruned(open, {
            ...{ output, dtype, plan: { ...plan, recipe: { ...plan.recipe, dtype } } },
            windows: (await windowsOf(text, length)).slice(0, windows),
            ...options,
          });
          const name = `${model().model.checkpoint.provenance.name}-pruned-${Math.round(plan.ratio * 100)}`;
          return {
            fileName: `${name}.zip`,
            archive: await zipBlob(output.files, name),
            files: files.map(({ name, bytes }) => ({ name, bytes })),
            verification,
          };
        }),
      ),
  };
}

function summary(open: OpenModel, chat: boolean): ModelSummary {
  const { name, architecture, licence, parameters, bytes, vocabulary, hiddenSize, layers } = inspect(open);
  return { name, architecture, licence, parameters, bytes, vocabulary, hiddenSize, maximumPositions: open.config.maximumPositions, chat, layers };
}

/** A prompt as it is, or as the one message of a conversation. */
function promptIds(tokenizer: Tokenizer, prompt: string, chat: boolean): number[] {
  if (!chat) return tokenizer.encode(prompt);
  return tokenizer.encode(tokenizer.applyChatTemplate([{ role: 'user', content: prompt }]), { addSpecialTokens: false });
}

/** Remembers the token ids of the last texts: calibration and evaluation use the same ones again and again. */
function textCache(encode: (text: string) => Promise<number[]>): (text: string) => Promise<number[]> {
  const known = new Map<string, number[]>();
  return async (text) => {
    const ids = known.get(text) ?? (await encode(text));
    known.delete(text);
    known.set(text, ids);
    if (known.size > 3) known.delete(known.keys().next().value ?? '');
    return ids;
  };
}
