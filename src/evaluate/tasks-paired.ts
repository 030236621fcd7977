import { MismatchError } from '../errors.ts';
import { meanAndError } from './tasks-result.ts';

/** Two models on the same items. */
export interface PairedComparison {
  /** Mean accuracy of the first minus the second's. */
  readonly difference: number;
  /** Of the difference, over items: much smaller than from two separate standard errors, because both models see the same items. */
  readonly standardError: number;
  /** Items that only the first, or only the second, has right (more often right). */
  readonly onlyFirst: number;
  /** Items that only the second has right. */
  readonly onlySecond: number;
  /** Two-sided exact McNemar test (the sign test over items): chance of a split at least as uneven if both were equally good. */
  readonly pValue: number;
}

/** Compares right (1) and wrong (0) answers item by item; an answer in between is a mean over several runs. Throws MismatchError for different numbers of items. */
export function pairedComparison(first: readonly number[], second: readonly number[]): PairedComparison {
  if (first.length !== second.length)
    throw new MismatchError(
      `Two results of ${first.length} and ${second.length} items cannot be paired; use the same items.`,
    );
  const differences = first.map((value, index) => value - (second[index] as number));
  const { mean, standardError } = meanAndError(differences);
  const onlyFirst = differences.filter((value) => value > 0).length;
  const onlySecond = differences.filter((value) => value < 0).length;
  return { difference: mean, standardError, onlyFirst, onlySecond, pValue: exactMcNemar(onlyFirst, onlySecond) };
}

/** min(1, 2 P(X <= min(a, b))) for X binomial with a + b draws and probability 1/2 (McNemar 1947, exact form). */
export function exactMcNemar(onlyFirst: number, onlySecond: number): number {
  const draws = onlyFirst + onlySecond;
  let logTerm = -draws * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= Math.min(onlyFirst, onlySecond); k++) {
    tail += Math.exp(logTerm);
    logTerm += Math.log(draws - k) - Math.log(k + 1);
  }
  return Math.min(1, 2 * tail);
}
