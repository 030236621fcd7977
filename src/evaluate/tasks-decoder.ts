import { throwIfCancelled } from '../errors.ts';
import type { Decoder, Sequence } from '../generate/decoder.ts';
import { crossEntropy } from './decoder-perplexity.ts';
import type { ContextGroup } from './tasks-encode.ts';
import type { LikelihoodModel } from './tasks-likelihood.ts';

/** Tokens between two chances to keep results. */
const PASS_TOKENS = 2048;

/** Likelihoods by a decoder (an exported model): the context's keys and values are computed once and kept for its choices. */
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

async function scoreGroup(sequence: Sequence, { context, continuations }: ContextGroup, check: () => void): Promise<number[]> {
  const afterContext = await sequence.append(context, check);
  sequence.mark();
  const results: number[] = [];
  for (const ids of continuations) {
    check();
    let sum = -crossEntropy(afterContext, ids[0] ?? 0);
    if (ids.length > 1) {
      sequence.rewind();
      const logits = await sequence.appendForAllLogits(ids.slice(0, -1));
      const width = afterContext.length;
      for (let token = 1; token < ids.length; token++) sum -= crossEntropy(logits.subarray((token - 1) * width, token * width), ids[token] ?? 0);
    }
    results.push(sum);
  }
  return results;
}
