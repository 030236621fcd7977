import type { Progress } from '../../progress.ts';

export interface TransferSpeed {
  readonly perSecond: number;
  /** Infinity until something has come. */
  readonly secondsLeft: number;
}

/** How far back speed is measured, in seconds. */
const MEMORY = 10;

/** Speed and time left of a transfer from its progress events, over the last ten seconds. `now` gives milliseconds. */
export function speedOf(now: () => number = () => performance.now()): (progress: Progress) => TransferSpeed {
  const events: { readonly time: number; readonly completed: number }[] = [];
  return ({ completed, total }) => {
    const time = now() / 1000;
    events.push({ time, completed });
    while (events.length > 2 && (events[1]?.time ?? time) < time - MEMORY) events.shift();
    const [first] = events;
    const elapsed = time - (first?.time ?? time);
    const perSecond = elapsed > 0 ? (completed - (first?.completed ?? 0)) / elapsed : 0;
    return {
      perSecond,
      secondsLeft: completed >= total ? 0 : perSecond > 0 ? (total - completed) / perSecond : Number.POSITIVE_INFINITY,
    };
  };
}
