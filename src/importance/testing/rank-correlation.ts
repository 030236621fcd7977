/** Kendall's tau of two score arrays of the same groups: share of pairs ordered alike less the share ordered the other way; pairs that either calls equal count for nothing. */
export function kendallTau(expected: ArrayLike<number>, actual: ArrayLike<number>): number {
  let [sum, pairs] = [0, 0];
  for (let a = 0; a < expected.length; a++) {
    for (let b = 0; b < a; b++) {
      sum +=
        Math.sign((expected[a] ?? 0) - (expected[b] ?? 0)) *
        Math.sign((actual[a] ?? Number.NaN) - (actual[b] ?? Number.NaN));
      pairs++;
    }
  }
  return pairs === 0 ? 1 : sum / pairs;
}
