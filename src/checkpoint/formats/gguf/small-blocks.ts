import { halfValue } from '../../half.ts';

/** Writes the values of the block at byte `at` to `values` from `to` on. */
export type BlockReader = (bytes: Uint8Array, at: number, values: Float32Array, to: number) => void;

const half = (bytes: Uint8Array, at: number) => halfValue((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
const signed = (byte: number) => (byte << 24) >> 24;

/** The values of 4-bit codes whose steps are not even: closer about zero, where weights are (ggml's kvalues_iq4nl). */
const UNEVEN = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113] as const;
/** Twice the values of 4-bit floats with two bits of exponent and one of mantissa (OCP Microscaling formats 1.0). */
const FLOATS = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12] as const;

/** 16 bytes with two codes of a table each: the low halves are the first 16 values. */
function looked(
  bytes: Uint8Array,
  at: number,
  values: Float32Array,
  to: number,
  scale: number,
  table: readonly number[],
): void {
  for (let i = 0; i < 16; i += 1) {
    const code = bytes[at + i] as number;
    values[to + i] = scale * (table[code & 15] as number);
    values[to + i + 16] = scale * (table[code >> 4] as number);
  }
}

/** Half scale, 16 bytes of codes. */
export const iq4Nl: BlockReader = (bytes, at, values, to) => looked(bytes, at + 2, values, to, half(bytes, at), UNEVEN);

/** Half scale, the upper two bits of eight sub-scales, their low halves in 4 bytes, then eight runs of 16 bytes. */
export const iq4Xs: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8);
  for (let sub = 0; sub < 8; sub += 1) {
    const low = ((bytes[at + 4 + (sub >> 1)] as number) >> (4 * (sub & 1))) & 15;
    const factor = (low | (((high >> (2 * sub)) & 3) << 4)) - 32;
    looked(bytes, at + 8 + sub * 16, values, to + sub * 32, scale * factor, UNEVEN);
  }
};

/** A power of two (exponent biased by 127), 16 bytes of codes. */
export const mxfp4: BlockReader = (bytes, at, values, to) =>
  looked(bytes, at + 1, values, to, 2 ** ((bytes[at] as number) - 128), FLOATS);

/** 16 bytes of sub-scales and minima of four bits, 64 of two-bit codes, two half scales. Two halves of four runs of 32 values. */
export const q2K: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at + 80);
  const minimum = half(bytes, at + 82);
  for (let run = 0; run < 8; run += 1) {
    const codes = at + 16 + (run >> 2) * 32;
    for (let i = 0; i < 32; i += 1) {
      const sub = bytes[at + run * 2 + (i >> 4)] as number;
      const code = ((bytes[codes + i] as number) >> (2 * (run & 3))) & 3;
      values[to + run * 32 + i] = scale * (sub & 15) * code - minimum * (sub >> 4);
    }
  }
};

/** 32 bytes of third bits, 64 of two-bit codes, 12 of 6-bit sub-scales, half scale. A third bit that is not set means four less. */
export const q3K: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at + 108);
  for (let run = 0; run < 8; run += 1) {
    const codes = at + 32 + (run >> 2) * 32;
    for (let i = 0; i < 32; i += 1) {
      const low = ((bytes[codes + i] as number) >> (2 * (run & 3))) & 3;
      const missing = ((bytes[at + i] as number) >> run) & 1 ? 0 : 4;
      const factor = thirdScale(bytes, at + 96, run * 2 + (i >> 4)) - 32;
      values[to + run * 32 + i] = scale * factor * (low - missing);
    }
  }
};

/** 8 bytes with the low halves of two sub-scales each, 4 with the upper two bits of four. */
function thirdScale(bytes: Uint8Array, at: number, sub: number): number {
  const low = ((bytes[at + (sub & 7)] as number) >> (4 * (sub >> 3))) & 15;
  return low | ((((bytes[at + 8 + (sub & 3)] as number) >> (2 * (sub >> 2))) & 3) << 4);
}

/** Float32 scale, 256 bytes of codes, then sums that nothing needs. */
export const q8K: BlockReader = (bytes, at, values, to) => {
  const scale = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getFloat32(0, true);
  for (let i = 0; i < 256; i += 1) values[to + i] = scale * signed(bytes[at + 4 + i] as number);
};
