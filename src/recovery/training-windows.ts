import { MismatchError, UsageError } from '../errors.ts';
import type { Teacher } from '../evaluate/divergence/teacher.ts';
import { sampleWithoutReplacement, seededRandom } from '../random.ts';
import { mixSeeds } from './seeds.ts';

/** One window of training text. */
export interface TrainingWindow {
  /** Token ids, at least 2; windows may differ in length. */
  readonly tokens: ArrayLike<number>;
  /** Per token 1 where it is to be learnt, 0 where it is only context (a prompt). Absent: all are learnt. The first token is never predicted. */
  readonly learn?: ArrayLike<number>;
}

/** Windows of one run, padded on the right to a common length: causal attention never looks at the padding. */
export interface TrainingBatch {
  /** [windows][tokens] */
  readonly ids: readonly Int32Array[];
  readonly tokens: number;
  /** Next-token targets of all rows [windows * tokens], 0 where nothing is learnt. */
  readonly targets: BigInt64Array;
  /** Rows whose prediction is learnt, ascending. */
  readonly rows: Int32Array;
  /** Tokens without padding. */
  readonly trained: number;
  /** What a teacher says at the learnt rows, by their place among them; absent where the text alone teaches. */
  readonly taught?: { readonly teacher: Teacher; readonly loss: 'kl' | 'both' } | undefined;
}

/** Throws MismatchError naming a window whose ids or mask are wrong, UsageError for one in which nothing is to be learnt. */
export function checkTrainingWindows(windows: readonly TrainingWindow[], vocabulary: number, what: string): void {
  for (const [index, { tokens, learn }] of windows.entries()) {
    if (tokens.length < 2)
      throw new UsageError(`${what} ${index} has ${tokens.length} tokens; at least 2 are needed for one prediction.`);
    if (learn && learn.length !== tokens.length)
      throw new MismatchError(
        `${what} ${index} has ${tokens.length} tokens and a mask of ${learn.length}; they must be equally many.`,
      );
    let learnt = 0;
    for (let token = 0; token < tokens.length; token++) {
      const id = tokens[token] ?? -1;
      if (!Number.isInteger(id) || id < 0 || id >= vocabulary)
        throw new MismatchError(
          `${what} ${index} has token id ${id}; this model's ids run from 0 to ${vocabulary - 1}.`,
        );
      if (token > 0 && (learn === undefined || learn[token] !== 0)) learnt++;
    }
    if (learnt === 0) throw new UsageError(`Nothing in ${what.toLowerCase()} ${index} is to be learnt; leave it out.`);
  }
}

/** Pads windows to the longest of them. */
export function trainingBatch(windows: readonly TrainingWindow[]): TrainingBatch {
  const tokens = Math.max(...windows.map((window) => window.tokens.length));
  const targets = new BigInt64Array(windows.length * tokens);
  const rows: number[] = [];
  const ids = windows.map(({ tokens: own, learn }, index) => {
    for (let token = 0; token + 1 < own.length; token++) {
      if (learn && learn[token + 1] === 0) continue;
      targets[index * tokens + token] = BigInt(own[token + 1] ?? 0);
      rows.push(index * tokens + token);
    }
    return Int32Array.from({ length: tokens }, (_, token) => own[token] ?? 0);
  });
  return {
    ids,
    tokens,
    targets,
    rows: Int32Array.from(rows),
    trained: windows.reduce((sum, window) => sum + window.tokens.length, 0),
  };
}

/** Cuts a list into parts of `size`, the last one shorter. */
export function partsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}

/** The windows of step 0, 1, …: every epoch has all of `count` windows in an order of its own, and steps go on over the end of one. */
export function windowsOfStep(step: number, batch: number, count: number, seed: number): number[] {
  const first = step * batch;
  const orders = new Map<number, number[]>();
  return Array.from({ length: batch }, (_, index) => {
    const epoch = Math.floor((first + index) / count);
    const order =
      orders.get(epoch) ?? sampleWithoutReplacement(count, count, seededRandom(mixSeeds(seed, 'order', epoch)));
    orders.set(epoch, order);
    return order[(first + index) % count] ?? 0;
  });
}

/** The windows, by index in ascending order, that the steps of a training learn from: all of them where it goes through all once. */
export function windowsOfTraining(steps: number, batch: number, count: number, seed: number): number[] {
  const learnt = steps * batch;
  const chosen = learnt < count ? windowsOfStep(0, learnt, count, seed) : Array.from({ length: count }, (_, at) => at);
  return chosen.sort((a, b) => a - b);
}

/** Splits windows into those that are trained on and those that are held out, drawn by seed. Throws UsageError for fewer than 2. */
export function holdOut<T>(
  windows: readonly T[],
  share: number,
  most: number,
  seed: number,
): { readonly trained: T[]; readonly heldOut: T[] } {
  if (windows.length < 2)
    throw new UsageError(
      `There ${windows.length === 1 ? 'is 1 training window' : 'are no training windows'}; at least 2 are needed, 1 of them to be held out. Give more text.`,
    );
  const count = Math.min(most, windows.length - 1, Math.max(1, Math.round(share * windows.length)));
  const chosen = new Set(sampleWithoutReplacement(windows.length, count, seededRandom(mixSeeds(seed, 'held out'))));
  return {
    trained: windows.filter((_, index) => !chosen.has(index)),
    heldOut: windows.filter((_, index) => chosen.has(index)),
  };
}
