import { AutoModelForCausalLM, env, Tensor } from '@huggingface/transformers';
import type { Decoder } from '../src/generate/decoder.ts';
import { greatest } from '../src/generate/sampling.ts';
import { type Lap, lapOf } from './decode-lap.ts';

/** Our loop, greedy. */
export async function ownLap(decoder: Decoder, prompt: readonly number[], newTokens: number): Promise<Lap> {
  using sequence = decoder.start(prompt.length + newTokens);
  const times: number[] = [];
  const started = performance.now();
  let token = greatest(await sequence.append(prompt));
  times.push(performance.now());
  while (times.length < newTokens) {
    token = greatest(await sequence.append([token]));
    times.push(performance.now());
  }
  return lapOf(started, times);
}

/** Loads `folder` below `root` (a path, or a URL path in browsers) in transformers.js; the dtype is what its config.json says. */
export async function transformersLoop(
  root: string,
  folder: string,
  options: object,
): Promise<(prompt: readonly number[], newTokens: number) => Promise<Lap>> {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  env.localModelPath = root;
  const model = await AutoModelForCausalLM.from_pretrained(folder, { local_files_only: true, ...options });
  return async (prompt, newTokens) => {
    const inputs = new Tensor('int64', BigInt64Array.from(prompt, BigInt), [1, prompt.length]);
    const attentionMask = new Tensor('int64', new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]);
    const times: number[] = [];
    const streamer = { put: () => times.push(performance.now()), end: () => undefined };
    const length = { max_new_tokens: newTokens, min_new_tokens: newTokens, do_sample: false };
    const started = performance.now();
    await model.generate({ inputs, attention_mask: attentionMask, ...length, streamer } as never);
    // The streamer is told the prompt first, then every token.
    return lapOf(started, times.slice(1));
  };
}
