/**
 * Indices that sort `values` ascending; equal values keep their order. No NaN.
 * A radix sort over the bits of float64 (8 digits of 8 bits, least significant first): stable, and linear in the number of groups,
 * which keeps planning within a frame where a comparison sort of indices does not.
 */
export function ascendingOrder(values: Float64Array): Uint32Array {
  const count = values.length;
  const keys = new Uint32Array(2 * count);
  for (let i = 0; i < count; i++) WORDS.write(values[i] as number, keys, i);

  const digits = new Uint32Array(8 * 256);
  for (let i = 0; i < count; i++) {
    const low = keys[2 * i] as number;
    const high = keys[2 * i + 1] as number;
    for (let digit = 0; digit < 8; digit++) {
      const bucket = digit * 256 + (((digit < 4 ? low : high) >>> (8 * (digit & 3))) & 255);
      digits[bucket] = (digits[bucket] as number) + 1;
    }
  }

  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  let next = new Uint32Array(count);
  for (let digit = 0; digit < 8; digit++) {
    const starts = digits.subarray(digit * 256, digit * 256 + 256);
    if (starts.includes(count)) continue; // every value has the same digit
    let position = 0;
    for (let bucket = 0; bucket < 256; bucket++) {
      const size = starts[bucket] as number;
      starts[bucket] = position;
      position += size;
    }
    const word = digit >> 2;
    const shift = 8 * (digit & 3);
    for (let i = 0; i < count; i++) {
      const index = order[i] as number;
      const bucket = ((keys[2 * index + word] as number) >>> shift) & 255;
      const target = starts[bucket] as number;
      next[target] = index;
      starts[bucket] = target + 1;
    }
    [order, next] = [next, order];
  }
  return order;
}

/** The two 32-bit words of a float64, changed so that unsigned comparison of (high, low) orders as the numbers do. */
const WORDS = (() => {
  const float = new Float64Array(1);
  const words = new Uint32Array(float.buffer);
  float[0] = 1;
  const [lowWord, highWord] = words[1] === 0 ? [1, 0] : [0, 1];
  return {
    write(value: number, keys: Uint32Array, index: number): void {
      float[0] = value + 0; // -0 becomes 0
      const high = words[highWord] as number;
      const flip = high >>> 31 ? 0xffffffff : 0;
      keys[2 * index] = (words[lowWord] as number) ^ flip;
      keys[2 * index + 1] = high ^ (flip | 0x80000000);
    },
  };
})();
