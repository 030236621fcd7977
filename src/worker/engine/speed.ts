import { throwIfCancelled } from '../../errors.ts';
import type { Decoder } from '../../generate/decoder.ts';
import type { LongRunning } from '../../progress.ts';

/** Medians over the repeats; spreads are half the way from the slowest repeat to the fastest. All in tokens per second. */
export interface SpeedMeasurement {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  readonly prefillSpread: number;
  readonly decodeSpread: number;
  /** Bytes of all weights. */
  readonly bytes: number;
}

interface Lap {
  /** Tokens per second. */
  readonly prefill: number;
  readonly decode: number;
}

/** A decoder to time, and the bytes of its weights. */
export interface Contestant {
  readonly decoder: Decoder;
  readonly bytes: number;
}

/** Times decoders in turn: a warm-up lap each, then `repeats` rounds. `prompt` are the token ids whose reading is timed. */
export async function measureSpeeds(
  contestants: readonly Contestant[],
  prompt: readonly number[],
  request: { readonly newTokens: number; readonly repeats: number },
  { signal, onProgress }: LongRunning,
): Promise<SpeedMeasurement[]> {
  const laps: Lap[][] = contestants.map(() => []);
  const total = contestants.length * (request.repeats + 1);
  let completed = 0;
  for (let round = 0; round <= request.repeats; round += 1) {
    for (const [index, { decoder }] of contestants.entries()) {
      const lap = await timeLap(decoder, prompt, request.newTokens, signal);
      if (round > 0) laps[index]?.push(lap);
      completed += 1;
      onProgress?.({ stage: 'speed', completed, total, unit: 'steps' });
    }
  }
  return contestants.map(({ bytes }, index) => summariseLaps(laps[index] ?? [], bytes));
}

async function timeLap(
  decoder: Decoder,
  prompt: readonly number[],
  newTokens: number,
  signal: AbortSignal | undefined,
): Promise<Lap> {
  throwIfCancelled(signal);
  using sequence = decoder.start(prompt.length + newTokens);
  const start = performance.now();
  let logits = await sequence.append(prompt);
  const prefilled = performance.now();
  for (let token = 0; token < newTokens; token += 1) {
    throwIfCancelled(signal);
    logits = await sequence.append([mostProbable(logits)]);
  }
  const end = performance.now();
  return { prefill: (1000 * prompt.length) / (prefilled - start), decode: (1000 * newTokens) / (end - prefilled) };
}

function mostProbable(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id += 1) if ((logits[id] ?? 0) > (logits[best] ?? 0)) best = id;
  return best;
}

/** Medians and half spreads of laps. */
function summariseLaps(laps: readonly Lap[], bytes: number): SpeedMeasurement {
  const [prefill, decode] = [laps.map((lap) => lap.prefill), laps.map((lap) => lap.decode)];
  return {
    prefillTokensPerSecond: median(prefill),
    decodeTokensPerSecond: median(decode),
    prefillSpread: halfSpread(prefill),
    decodeSpread: halfSpread(decode),
    bytes,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function halfSpread(values: readonly number[]): number {
  return values.length > 0 ? (Math.max(...values) - Math.min(...values)) / 2 : 0;
}
