import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import type { Decoder } from '../src/generate/decoder.ts';
import { createSampler } from '../src/generate/sampling.ts';
import { seededRandom } from '../src/random.ts';
import { type Lap, lapOf } from './decode-lap.ts';
import type { PeerLap } from './peers/peer-process.ts';

/** Our loop, greedy, as `generate` runs it: the device chooses the token where it can. */
export async function ownLap(decoder: Decoder, prompt: readonly number[], newTokens: number): Promise<PeerLap> {
  using sequence = decoder.start(prompt.length + newTokens);
  const times: number[] = [];
  const started = performance.now();
  const greedy = createSampler({}, seededRandom(0));
  const tokens: number[] = [];
  for (let next = prompt; times.length < newTokens; next = tokens.slice(-1)) {
    tokens.push((await sequence.choose(next, greedy, next)).tokenId);
    times.push(performance.now());
  }
  return { ...lapOf(started, times), tokens };
}

/** Loads `folder` below `root` (a path, or a URL path in browsers) in transformers.js; the dtype is what its config.json says. */
export async function transformersLoop(
  root: string,
  folder: string,
  options: object,
): Promise<(prompt: readonly number[], newTokens: number) => Promise<Lap>> {
  const lap = await transformersTimes(root, folder, options);
  return async (prompt, newTokens) => lapOf(0, (await lap(prompt, newTokens)).times);
}

/** The same with the milliseconds at which each token was there, and the tokens. */
export async function transformersTimes(
  root: string,
  folder: string,
  options: object,
): Promise<(prompt: readonly number[], newTokens: number) => Promise<{ times: number[]; tokens: number[] }>> {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  env.localModelPath = root;
  const model = await AutoModelForCausalLM.from_pretrained(folder, { local_files_only: true, ...options });
  return async (prompt, newTokens) => {
    const inputs = new Tensor('int64', BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
    const attentionMask = new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
    const [times, said]: [number[], number[]] = [[], []];
    const started = performance.now();
    const streamer = {
      put: (values: readonly (readonly bigint[])[]) => {
        times.push(performance.now() - started);
        said.push(...values.flat().map(Number));
      },
      end: () => undefined,
    };
    const length = { max_new_tokens: newTokens, min_new_tokens: newTokens, do_sample: false };
    await model.generate({ inputs, attention_mask: attentionMask, ...length, streamer } as never);
    // The streamer is told the prompt first, then every token.
    return { times: times.slice(1), tokens: said.slice(prompt.length) };
  };
}
