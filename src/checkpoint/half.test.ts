import { expect, test } from 'vitest';
import { bfloat16ToFloat, floatToHalf, halfToFloat, halfValue } from './half.ts';

const every = Uint16Array.from({ length: 65536 }, (_, i) => i);
const isNaNHalf = (h: number) => (h & 0x7fff) > 0x7c00;

/** The definition of binary16, by arithmetic instead of bits. */
function byDefinition(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = (half & 1023) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

test('all 65,536 halves have the value of their definition', () => {
  const values = halfToFloat(every);
  for (let half = 0; half < 65536; half += 1) {
    if (!Object.is(values[half], byDefinition(half)))
      throw new Error(`half ${half}: ${values[half]} instead of ${byDefinition(half)}`);
    if (!Object.is(halfValue(half), values[half])) throw new Error(`halfValue(${half}) differs`);
  }
});

test('every half survives the way to float32 and back', () => {
  const halves = floatToHalf(halfToFloat(every));
  for (let i = 0; i < 65536; i += 1) {
    if (isNaNHalf(i)) expect(isNaNHalf(halves[i] as number)).toBe(true);
    else if (halves[i] !== i) throw new Error(`half ${i} became ${halves[i]}`);
  }
});

test('every bfloat16 is the float32 that begins with its bits', () => {
  const bits = new Uint32Array(bfloat16ToFloat(every).buffer);
  for (let i = 0; i < 65536; i += 1)
    if (bits[i] !== (i << 16) >>> 0) throw new Error(`bfloat16 ${i} became the float32 ${bits[i]}`);
});

/** Between each pair of neighbours: just below the middle rounds down, the middle to the even pattern, just above it up. */
function checkRounding(
  widen: (h: Uint16Array) => Float32Array,
  narrow: (f: Float32Array) => Uint16Array,
  largestFinite: number,
): void {
  const values = widen(Uint16Array.from({ length: largestFinite + 1 }, (_, i) => i));
  const bits = new Uint32Array(values.buffer);
  const nextFloat = new Float32Array(1);
  const nextBits = new Uint32Array(nextFloat.buffer);
  for (const sign of [0, 0x8000]) {
    for (let i = 0; i < largestFinite; i += 1) {
      const middle = ((values[i] as number) + (values[i + 1] as number)) / 2;
      nextFloat[0] = middle;
      if (nextFloat[0] !== middle) throw new Error('a middle that float32 cannot hold');
      const at = nextBits[0] as number;
      if (at <= (bits[i] as number)) throw new Error(`no middle above pattern ${i}`);
      const probes = new Float32Array(Uint32Array.of(at - 1, at, at + 1).map((b) => (b | (sign << 16)) >>> 0).buffer);
      const [below, tie, above] = narrow(probes);
      const even = i & 1 ? i + 1 : i;
      if (below !== (sign | i) || tie !== (sign | even) || above !== (sign | (i + 1)))
        throw new Error(`rounding near pattern ${sign | i}: ${below} ${tie} ${above}`);
    }
  }
}

test('halves round to nearest, ties to even', () => checkRounding(halfToFloat, floatToHalf, 0x7bff));

test('halves overflow to infinity from 65,520 on and keep NaN', () => {
  expect([...floatToHalf(Float32Array.of(65519.99, 65520, -65520, 1e30, Number.NEGATIVE_INFINITY))]).toEqual([
    0x7bff, 0x7c00, 0xfc00, 0x7c00, 0xfc00,
  ]);
  expect(isNaNHalf(floatToHalf(Float32Array.of(Number.NaN))[0] as number)).toBe(true);
  expect([...floatToHalf(Float32Array.of(0, -0, 2 ** -25, 2 ** -24, 1e-30))]).toEqual([0, 0x8000, 0, 1, 0]);
});
