import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { openNamed } from '../src/cli/models.ts';
import { allowsFixedCache } from '../src/export/attention.ts';
import { diskOutput } from '../src/export/disk.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/export/dtypes.ts';
import { type Decoder, openDecoder } from '../src/generate/decoder.ts';
import { greatest } from '../src/generate/sampling.ts';
import { exportPruned } from '../src/library/export.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { median, ratio } from './measure.ts';

const PROMPT = 64;
const NEW_TOKENS = 64;

/** Milliseconds of one lap: the prompt, and each token after the first. */
interface Lap {
  readonly prefill: number;
  readonly decode: number;
}

interface Contestant {
  readonly bytes: number;
  lap(prompt: readonly number[]): Promise<Lap>;
}

/**
 * Decoding on the CPU: our loop against transformers.js on the same exported files, and dense against pruned, interleaved lap by lap.
 * Options: a model (default stories), a number format (default f32), rounds (default 7).
 */
export async function run([name = 'stories', dataType = 'f32', rounds = '7']: readonly string[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  using runtime = await createNodeRuntime();
  try {
    using open = new OpenModel(runtime, await openNamed(name));
    const prompt = Array.from({ length: PROMPT }, (_, index) => (index * 97 + 13) % open.config.vocabulary);
    const contestants: Record<string, Contestant> = {};
    for (const share of [0, 0.2, 0.5]) {
      using pruned = open.pruned(evenly(open, share));
      const path = join(folder, `pruned-${share * 100}`);
      const { bytes } = await exportPruned(pruned, { output: await diskOutput(path), dtype: dataType as ExportDataType });
      const label = share === 0 ? 'dense' : `-${share * 100}%`;
      contestants[label] = await ownLoop(runtime, path, bytes, dataType as ExportDataType, open.config.headDimension);
      if (share !== 0.2) contestants[`${label}, transformers.js`] = await transformersLoop(path, bytes);
    }
    const laps = await interleavedLaps(contestants, prompt, Number(rounds));
    console.log(`${name} in ${dataType}, ${runtime.description}: ${PROMPT} prompt tokens, ${NEW_TOKENS} decoded, ${rounds} rounds in turn`);
    report(contestants, laps);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The same share of groups from every layer: for speed only sizes matter. */
function evenly(open: OpenModel, share: number) {
  const { layers, keyValueHeads, neurons } = open.config;
  const first = (count: number) => Array.from({ length: Math.max(1, Math.round(count * (1 - share))) }, (_, index) => index);
  return Array.from({ length: layers }, () => ({ attention: first(keyValueHeads), mlp: first(neurons) }));
}

async function ownLoop(runtime: Runtime, path: string, bytes: number, dataType: ExportDataType, headDimension: number): Promise<Contestant> {
  const model = { path: join(path, 'onnx', EXPORT_FORMATS[dataType].file) };
  const decoder: Decoder = await openDecoder(runtime, model, { fixedCache: allowsFixedCache(headDimension) });
  return {
    bytes,
    async lap(prompt) {
      using sequence = decoder.start(prompt.length + NEW_TOKENS);
      const started = performance.now();
      let token = greatest(await sequence.append(prompt));
      const first = performance.now();
      for (let count = 1; count < NEW_TOKENS; count++) token = greatest(await sequence.append([token]));
      return { prefill: first - started, decode: (performance.now() - first) / (NEW_TOKENS - 1) };
    },
  };
}

async function transformersLoop(path: string, bytes: number): Promise<Contestant> {
  env.allowRemoteModels = false;
  env.localModelPath = dirname(path);
  const threads = { intraOpNumThreads: availableParallelism(), interOpNumThreads: 1 };
  const model = await AutoModelForCausalLM.from_pretrained(basename(path), { local_files_only: true, session_options: threads });
  return {
    bytes,
    async lap(prompt) {
      const inputs = new Tensor('int64', BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
      const attentionMask = new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
      const times: number[] = [];
      const streamer = { put: () => times.push(performance.now()), end: () => undefined };
      const length = { max_new_tokens: NEW_TOKENS, min_new_tokens: NEW_TOKENS, do_sample: false };
      const started = performance.now();
      await model.generate({ inputs, attention_mask: attentionMask, ...length, streamer } as never);
      // The streamer is told the prompt first, then every token.
      const [, first = 0] = times;
      return { prefill: first - started, decode: ((times.at(-1) ?? 0) - first) / (times.length - 2) };
    },
  };
}

async function interleavedLaps(contestants: Readonly<Record<string, Contestant>>, prompt: readonly number[], rounds: number): Promise<Record<string, Lap[]>> {
  const laps: Record<string, Lap[]> = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, contestant] of Object.entries(contestants)) {
      const lap = await contestant.lap(prompt);
      if (round >= 0) laps[name]?.push(lap);
    }
  }
  return laps;
}

function report(contestants: Readonly<Record<string, Contestant>>, laps: Readonly<Record<string, Lap[]>>): void {
  const of = (name: string, part: keyof Lap) => (laps[name] ?? []).map((lap) => lap[part]);
  for (const [name, { bytes }] of Object.entries(contestants)) {
    const decode = of(name, 'decode');
    const prefill = median(of(name, 'prefill'));
    console.log(
      `${name.padEnd(26)} ${(bytes / 2 ** 20).toFixed(1).padStart(7)} MiB, prefill ${((1000 * PROMPT) / prefill).toFixed(0).padStart(6)} tokens/s, decode ${(1000 / median(decode)).toFixed(0).padStart(5)} tokens/s (${Math.min(...decode).toFixed(2)} to ${Math.max(...decode).toFixed(2)} ms a token)`,
    );
  }
  for (const name of ['dense', '-50%']) {
    const theirs = `${name}, transformers.js`;
    console.log(
      `${name}: our decode speed / transformers.js ${ratio(of(theirs, 'decode'), of(name, 'decode'))}, prefill ${ratio(of(theirs, 'prefill'), of(name, 'prefill'))} (target 1.2)`,
    );
  }
  const dense = contestants.dense?.bytes ?? 0;
  for (const name of ['-20%', '-50%']) {
    const allowed = dense / (contestants[name]?.bytes ?? dense);
    const gained = median(of('dense', 'decode')) / median(of(name, 'decode'));
    console.log(
      `${name}: decode ${gained.toFixed(2)} times the dense speed, bytes allow ${allowed.toFixed(2)}: ${(gained / allowed).toFixed(2)} of it (target 0.9); prefill ${(median(of('dense', 'prefill')) / median(of(name, 'prefill'))).toFixed(2)} times`,
    );
  }
}
