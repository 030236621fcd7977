import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import { openNamed } from '../src/checkpoint/local.ts';
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

/** Milliseconds of one lap: the prompt, and the median and the fastest of the tokens after the first. */
interface Lap {
  readonly prefill: number;
  readonly decode: number;
  readonly fastest: number;
}

/** `times` are the moments at which the tokens were there. */
function lapOf(started: number, times: readonly number[]): Lap {
  const [first = started] = times;
  const tokens = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  return { prefill: first - started, decode: median(tokens), fastest: Math.min(...tokens) };
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
      const times: number[] = [];
      const started = performance.now();
      let token = greatest(await sequence.append(prompt));
      times.push(performance.now());
      while (times.length < NEW_TOKENS) {
        token = greatest(await sequence.append([token]));
        times.push(performance.now());
      }
      return lapOf(started, times);
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
      return lapOf(started, times.slice(1));
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
  const speed = (milliseconds: number, tokens = 1) => ((1000 * tokens) / milliseconds).toFixed(0);
  for (const [name, { bytes }] of Object.entries(contestants)) {
    const decode = of(name, 'decode');
    console.log(
      `${name.padEnd(24)} ${(bytes / 2 ** 20).toFixed(1).padStart(6)} MiB, prefill ${speed(median(of(name, 'prefill')), PROMPT).padStart(5)} tokens/s, decode ${speed(median(decode)).padStart(5)} tokens/s (laps ${speed(Math.max(...decode))} to ${speed(Math.min(...decode))}, fastest token ${Math.min(...of(name, 'fastest')).toFixed(2)} ms)`,
    );
  }
  const fastest = (name: string) => Math.min(...of(name, 'fastest'));
  for (const name of ['dense', '-50%']) {
    const theirs = `${name}, transformers.js`;
    console.log(
      `${name}: our speed / transformers.js: decode ${ratio(of(theirs, 'decode'), of(name, 'decode'))}, by the fastest tokens ${(fastest(theirs) / fastest(name)).toFixed(2)}; prefill ${ratio(of(theirs, 'prefill'), of(name, 'prefill'))}`,
    );
  }
  const dense = contestants.dense?.bytes ?? 0;
  for (const name of ['-20%', '-50%']) {
    const allowed = dense / (contestants[name]?.bytes ?? dense);
    const gained = median(of('dense', 'decode')) / median(of(name, 'decode'));
    const best = fastest('dense') / fastest(name);
    console.log(
      `${name} / dense: bytes allow ${allowed.toFixed(2)}; decode ${gained.toFixed(2)}, by the fastest tokens ${best.toFixed(2)}, which is ${(best / allowed).toFixed(2)} of it (target 0.9); prefill ${(median(of('dense', 'prefill')) / median(of(name, 'prefill'))).toFixed(2)}`,
    );
  }
}
