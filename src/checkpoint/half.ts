/**
 * Half precision (IEEE 754 binary16) and bfloat16 to and from float32. Widening is exact and keeps NaN payloads; narrowing rounds to nearest,
 * ties to even, overflows to infinity and keeps NaN a NaN. Values travel as their 16-bit patterns.
 */

let halfBits: Uint32Array | undefined;

/** The float32 pattern of each of the 65,536 half patterns (256 KiB, built on first use): one look-up is faster than any arithmetic. */
function halfTable(): Uint32Array {
  if (halfBits) return halfBits;
  const table = new Uint32Array(65536);
  for (let half = 0; half < 65536; half += 1) table[half] = widenHalf(half);
  halfBits = table;
  return table;
}

function widenHalf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >>> 10) & 0x1f;
  const mantissa = half & 0x3ff;
  if (exponent === 0x1f) return (sign | 0x7f800000 | (mantissa << 13)) >>> 0;
  if (exponent !== 0) return (sign | ((exponent + 112) << 23) | (mantissa << 13)) >>> 0;
  if (mantissa === 0) return sign >>> 0;
  // Subnormal: shift the leading one up to the implicit place.
  const shift = Math.clz32(mantissa) - 21;
  return (sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13)) >>> 0;
}

/** Half-precision patterns as float32 values, exactly. */
export function halfToFloat(halves: Uint16Array): Float32Array {
  const table = halfTable();
  const result = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i += 1) result[i] = table[halves[i] as number] as number;
  return new Float32Array(result.buffer);
}

/** bfloat16 patterns as float32 values, exactly: bfloat16 is the upper half of a float32. */
export function bfloat16ToFloat(halves: Uint16Array): Float32Array {
  const result = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i += 1) result[i] = (halves[i] as number) << 16;
  return new Float32Array(result.buffer);
}

/** One float32 value of a half pattern, for scales that stand between quantised values. */
export function halfValue(half: number): number {
  scratchBits[0] = halfTable()[half & 0xffff] as number;
  return scratchFloat[0] as number;
}
const scratchBits = new Uint32Array(1);
const scratchFloat = new Float32Array(scratchBits.buffer);

/** float32 values as half-precision patterns, rounded to nearest even; beyond 65,504 they become infinity. */
export function floatToHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i += 1) result[i] = narrowToHalf(bits[i] as number);
  return result;
}

function narrowToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x47800000) {
    if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
    return sign | 0x7c00;
  }
  if (magnitude >= 0x38800000) {
    // Normal: rebase the exponent, then add half a unit less one, plus the lowest kept bit. A carry runs into the exponent, up to infinity.
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Subnormal or zero. Half of the smallest subnormal (2^-25) itself rounds to even zero.
  if (magnitude <= 0x33000000) return sign;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = 126 - (magnitude >>> 23);
  const kept = mantissa >>> shift;
  const lost = mantissa & ((1 << shift) - 1);
  const tie = 1 << (shift - 1);
  return sign | (kept + (lost > tie || (lost === tie && (kept & 1) === 1) ? 1 : 0));
}

/** Rounded to nearest, ties to even; NaN stays NaN. */
export function floatToBfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const result = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i += 1) {
    const pattern = bits[i] as number;
    const isNotANumber = (pattern & 0x7fffffff) > 0x7f800000;
    result[i] = isNotANumber ? (pattern >>> 16) | 0x40 : (pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16;
  }
  return result;
}
