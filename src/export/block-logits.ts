import { disposeAll, forwardBlocks, headRows, rowChunks } from '../architecture/forward.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import type { ReferenceLogits } from './verify.ts';

/** Logits by the block programs, which scoring and evaluation run on: what an exported decoder must reproduce. */
export function blockProgramLogits(programs: Programs, store: WeightStore): ReferenceLogits {
  return async (tokenIds) => {
    const { vocabulary } = store.model.architecture.config;
    const states = await forwardBlocks(programs, store, [[tokenIds]]);
    try {
      using weights = await store.lease('head');
      const logits = new Float32Array(tokenIds.length * vocabulary);
      for (const state of states) {
        const hidden = await programs.runtime.read(state);
        for (const { start, chunk } of rowChunks(hidden, headRows(vocabulary)))
          logits.set(await programs.logits(weights, chunk), start * vocabulary);
      }
      return logits;
    } finally {
      disposeAll(states);
    }
  };
}
