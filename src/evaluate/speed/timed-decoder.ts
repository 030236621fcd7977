import type { Decoder } from '../../generate/decoder.ts';
import { createSampler } from '../../generate/sampling.ts';
import { seededRandom } from '../../random.ts';
import type { Contestant } from './speed.ts';

/** A decoder as it generates: the most probable token is chosen where the device chooses it, and awaited. `bytes` are those of its weights. */
export function timedDecoder(decoder: Decoder, bytes: number): Contestant {
  const greedy = createSampler({}, seededRandom(0));
  return {
    bytes,
    start(capacity) {
      const sequence = decoder.start(capacity);
      return {
        next: async (tokenIds) => (await sequence.choose(tokenIds, greedy, tokenIds)).tokenId,
        [Symbol.dispose]: () => sequence[Symbol.dispose](),
      };
    },
  };
}

/** Token ids to read: speed does not depend on which. */
export function timingPrompt(tokens: number, vocabulary: number): number[] {
  return Array.from({ length: tokens }, (_, index) => (index * 7919 + 17) % vocabulary);
}
