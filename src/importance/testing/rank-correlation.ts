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

/** Spearman's rho of two score arrays of the same groups: the correlation of their ranks, equal values sharing the mean of theirs. 1 where all values of one are equal. */
export function spearmanRho(expected: ArrayLike<number>, actual: ArrayLike<number>): number {
  const [a, b] = [centred(ranks(expected)), centred(ranks(actual))];
  const product = (x: Float64Array, y: Float64Array) =>
    x.reduce((sum, value, index) => sum + value * (y[index] ?? 0), 0);
  const norm = Math.sqrt(product(a, a) * product(b, b));
  return norm === 0 ? 1 : product(a, b) / norm;
}

function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, index) => index).sort(
    (a, b) => (values[a] ?? 0) - (values[b] ?? 0),
  );
  const found = new Float64Array(values.length);
  for (let start = 0, end = 0; start < order.length; start = end) {
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    for (let place = start; place < end; place++) found[order[place] ?? 0] = (start + end - 1) / 2;
  }
  return found;
}

function centred(values: Float64Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}
