import type { Runtime } from './runtime.ts';

/** Milliseconds of submitting between two waits for a graphics device: a wait empties its queue, and costs about one. */
const PAUSE = 100;

/**
 * For progress that counts work when it is finished: on a graphics device runs return when they are submitted. The function that it returns waits for the
 * device when it has not for a while, or when the device is slow, or must (`isLast`), and tells whether all that was submitted is finished.
 */
export function finishedWork(
  runtime: Pick<Runtime, 'backend' | 'synchronize'>,
  now: () => number = () => performance.now(),
): (isLast: boolean) => Promise<boolean> {
  if (runtime.backend !== 'webgpu') return async () => true;
  let [last, waited] = [now(), 0];
  return async (isLast) => {
    const start = now();
    if (!isLast && start - last < PAUSE && waited < PAUSE) return false;
    await runtime.synchronize();
    last = now();
    waited = last - start;
    return true;
  };
}
