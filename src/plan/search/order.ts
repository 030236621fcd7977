/** Digits of the high word of a float64: 11, 11 and 10 bits, least significant first. */
const DIGITS = [
  { shift: 0, buckets: 2048 },
  { shift: 11, buckets: 2048 },
  { shift: 22, buckets: 1024 },
] as const;

/**
 * Indices that sort `values` ascending; equal values keep their order. No NaN.
 * A radix sort over the high words of the numbers (sign, exponent and 20 bits of the mantissa), then a comparison sort of the few runs whose high words are equal: stable,
 * and nearly linear in the number of groups, which keeps planning within a frame where a comparison sort of all indices does not.
 */
export function ascendingOrder(values: Float64Array): Uint32Array {
  const keys = highWords(values);
  const order = radixOrder(keys);
  const count = order.length;
  for (let start = 0; start < count; ) {
    const key = keys[order[start] as number];
    let end = start + 1;
    while (end < count && keys[order[end] as number] === key) end++;
    if (end - start > 1) sortRun(order.subarray(start, end), values);
    start = end;
  }
  return order;
}

/** High words, changed so that unsigned comparison orders them as the numbers are. */
function highWords(values: Float64Array): Uint32Array {
  const words = new Uint32Array(values.slice().buffer);
  const high = LITTLE_ENDIAN ? 1 : 0;
  const keys = new Uint32Array(values.length);
  for (let i = 0; i < keys.length; i++) {
    const word = words[2 * i + high] as number;
    // Negative numbers order backwards; -0 is 0.
    if (word >>> 31 === 0 || values[i] === 0) keys[i] = (word & 0x7fffffff) | 0x80000000;
    else keys[i] = ~word;
  }
  return keys;
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function radixOrder(keys: Uint32Array): Uint32Array {
  const count = keys.length;
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  let next = new Uint32Array(count);
  for (const { shift, buckets } of DIGITS) {
    const positions = new Uint32Array(buckets);
    for (let i = 0; i < count; i++) {
      const bucket = ((keys[i] as number) >>> shift) & (buckets - 1);
      positions[bucket] = (positions[bucket] as number) + 1;
    }
    let position = 0;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const size = positions[bucket] as number;
      positions[bucket] = position;
      position += size;
    }
    for (let i = 0; i < count; i++) {
      const index = order[i] as number;
      const bucket = ((keys[index] as number) >>> shift) & (buckets - 1);
      const target = positions[bucket] as number;
      next[target] = index;
      positions[bucket] = target + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}

function sortRun(run: Uint32Array, values: Float64Array): void {
  const ordered = run.every(
    (index, i) => i === 0 || (values[run[i - 1] as number] as number) <= (values[index] as number),
  );
  if (!ordered) run.sort((a, b) => (values[a] as number) - (values[b] as number) || a - b);
}
