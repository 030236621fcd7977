import { throwIfCancelled } from '../errors.ts';
import type { Decoder, Sequence } from '../generate/decoder.ts';
import { crossEntropy } from './decoder-perplexity.ts';
import type { ContextGroup } from './tasks-encode.ts';
import type { LikelihoodModel } from './tasks-likelihood.ts';

/** Tokens between two chances to keep results. */
const PASS_TOKENS = 2048;

/**
 * Likelihoods by a decoder (an exported model): the context's keys and values are computed once, together with the first choice, and kept for the others. Not in batches: ONNX
 * Runtime's attention takes one sequence where several tokens follow a cache, and whole rows or batches of contexts gain less than they cost or than this (docs/results.md).
 */
export function decoderLikelihoods(decoder: Decoder): LikelihoodModel {
  return {
    passTokens: PASS_TOKENS,
    async logLikelihoods(groups, { signal, onProgress } = {}) {
      const results: number[][] = [];
      for (const group of groups) {
        throwIfCancelled(signal);
        const longest = Math.max(...group.continuations.map(({ length }) => length));
        using sequence = decoder.start(group.context.length + longest - 1);
        results.push(await scoreGroup(sequence, group, () => throwIfCancelled(signal)));
        onProgress?.({ stage: 'tasks', completed: results.length, total: groups.length, unit: 'items' });
      }
      return results;
    },
  };
}

async function scoreGroup(
  sequence: Sequence,
  { context, continuations }: ContextGroup,
  check: () => void,
): Promise<number[]> {
  const [first = [], ...others] = continuations;
  const logits = await sequence.appendMarked(context, first.slice(0, -1), check);
  const width = logits.length / Math.max(1, first.length);
  const afterContext = logits.subarray(0, width);
  const sumOf = (ids: readonly number[], following: Float32Array) =>
    ids
      .slice(1)
      .reduce(
        (sum, id, token) => sum - crossEntropy(following.subarray(token * width, (token + 1) * width), id),
        -crossEntropy(afterContext, ids[0] as number),
      );
  const results = [sumOf(first, logits.subarray(width))];
  for (const ids of others) {
    check();
    if (ids.length > 1) sequence.rewind();
    results.push(sumOf(ids, ids.length > 1 ? await sequence.appendForAllLogits(ids.slice(0, -1)) : afterContext));
  }
  return results;
}
