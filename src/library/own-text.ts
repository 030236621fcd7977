import { throwIfCancelled } from '../errors.ts';
import type { Decoder } from '../generate/decoder.ts';
import { createSampler } from '../generate/sampling.ts';
import type { LongRunning } from '../progress.ts';
import { seededRandom } from '../random.ts';

/** Which windows a model writes. */
export interface OwnTextOptions extends LongRunning {
  readonly count: number;
  /** Tokens of each. */
  readonly length: number;
  readonly seed: number;
  /** Tokens that the model knows. */
  readonly vocabulary: number;
  /** What windows begin with, taken in turn; default: a token drawn from the vocabulary. */
  readonly openings?: readonly (readonly number[])[];
}

/** Windows that are written together: the weights are read once for all, and more gain little. */
const TOGETHER = 32;

/**
 * Windows of token ids that the model writes itself, as in data-free quantisation (LLM-QAT, arXiv 2305.17888, section 3.1): each from a token drawn from the vocabulary, then
 * sampled from the model's own distribution. The same for the same seed, however many are written together. Progress counts tokens.
 */
export async function ownText(
  decoder: Decoder,
  { count, length, seed, vocabulary, openings = [], signal, onProgress }: OwnTextOptions,
): Promise<readonly (readonly number[])[]> {
  const seeds = seededRandom(seed);
  const writers = Array.from({ length: count }, (_, index) => {
    const random = seededRandom(Math.floor(seeds() * 2 ** 32));
    const ids = openings[index % openings.length] ?? [Math.floor(random() * vocabulary)];
    return { sampler: createSampler({ temperature: 1 }, random), ids: ids.slice(0, length) };
  });
  const report = (completed: number) =>
    onProgress?.({ stage: 'writing text', completed, total: count * length, unit: 'tokens' });
  report(0);
  for (let first = 0; first < count; first += TOGETHER) {
    const together = writers.slice(first, first + TOGETHER);
    using sequences = decoder.startTogether(together.length, length);
    for (let written = 1; written < length; written++) {
      throwIfCancelled(signal);
      const logits = await sequences.append(together.map(({ ids }) => ids[written - 1] as number));
      for (const [index, { ids, sampler }] of together.entries())
        if (ids.length === written) ids.push(sampler.sample(logits[index] as Float32Array, []).tokenId);
      report(first * length + together.length * (written + 1));
    }
  }
  return writers.map(({ ids }) => ids);
}
