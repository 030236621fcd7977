/** Tokens per run. */
const BATCH_TOKENS = 1024;

/** Windows of this many tokens that one run takes: about 1,024 tokens, one window at least. */
export const windowsPerRun = (tokens: number) => Math.max(1, Math.floor(BATCH_TOKENS / Math.max(1, tokens)));

/** Equally long windows, as many a batch as one run takes. */
export function batchesOf<Window extends ArrayLike<number>>(
  windows: readonly Window[],
  perBatch = windowsPerRun(windows[0]?.length ?? 1),
): Window[][] {
  return Array.from({ length: Math.ceil(windows.length / perBatch) }, (_, index) =>
    windows.slice(index * perBatch, (index + 1) * perBatch),
  );
}
