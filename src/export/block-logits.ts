import { disposeAll, forwardBlocks, headRows, rowChunks } from '../architecture/forward.ts';
import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { MismatchError } from '../errors.ts';
import type { HostTensor } from '../runtime/runtime.ts';
import type { ReferenceLogits } from './verify.ts';

/**
 * Logits by the block programs, which scoring and evaluation run on: what an exported decoder must reproduce. Windows that are compared one after the other pass the blocks together, so that
 * each layer's weights are read once.
 */
export function blockProgramLogits(programs: Programs, store: WeightStore): ReferenceLogits {
  const finalStates = async (windows: readonly ArrayLike<number>[]): Promise<HostTensor[]> => {
    const states = await forwardBlocks(
      programs,
      store,
      windows.map((window) => [window]),
    );
    try {
      return await Promise.all(states.map((state) => programs.runtime.read(state)));
    } finally {
      disposeAll(states);
    }
  };
  let passed: { readonly windows: readonly ArrayLike<number>[]; readonly states: HostTensor[] } | undefined;
  return async (tokenIds, together = [tokenIds]) => {
    if (passed?.windows !== together) passed = { windows: together, states: await finalStates(together) };
    const hidden = passed.states[together.indexOf(tokenIds)];
    if (!hidden) throw new MismatchError('The window is none of those that it is compared together with.');
    const { vocabulary } = store.model.architecture.config;
    using weights = await store.lease('head');
    const logits = new Float32Array(tokenIds.length * vocabulary);
    for (const { start, chunk } of rowChunks(hidden, headRows(vocabulary)))
      logits.set(await programs.logits(weights, chunk), start * vocabulary);
    return logits;
  };
}
