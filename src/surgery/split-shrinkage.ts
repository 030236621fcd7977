/** Sums of products of channels, [size, size], over some samples. */
export interface ProductSums {
  readonly product: Float64Array;
  readonly samples: number;
}

/**
 * How much of the products of different channels is noise of too few samples, 0 to 1: the linear shrinkage towards zero that leaves the least squared error (Ledoit and Wolf 2004), with signal and
 * noise told apart by two halves of the samples instead of by fourth moments, which heavy tails spoil. With mean products A and B off the diagonal, signal <A, B> and noise of a half
 * (<A, A> + <B, B>) / 2 - <A, B>, of which the mean of both halves has the half: noise / (2 signal + noise).
 */
export function splitShrinkage(first: ProductSums, second: ProductSums, size: number): number {
  let [signal, squares] = [0, 0];
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      const a = (first.product[i * size + j] as number) / first.samples;
      const b = (second.product[i * size + j] as number) / second.samples;
      signal += a * b;
      squares += (a * a + b * b) / 2;
    }
  }
  const noise = squares - signal;
  if (!(noise > 0)) return 0;
  return signal > 0 ? noise / (2 * signal + noise) : 1;
}
