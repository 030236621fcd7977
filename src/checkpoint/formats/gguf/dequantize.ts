import type { TensorInfo } from '../../checkpoint.ts';
import { decodeElements } from '../../elements.ts';
import { halfValue } from '../../half.ts';
import { type BlockReader, iq4Nl, iq4Xs, mxfp4, q2K, q3K, q8K } from './small-blocks.ts';

/**
 * The block formats of ggml (ggml-common.h, ggml-quants.c). A block stands for `elements` consecutive values of a row in `bytes` bytes.
 * Values come out exactly as ggml's own code in float32 makes them: scales are half precision and codes have few bits, so products are exact and
 * at most the last operation rounds.
 */
export interface BlockFormat {
  readonly name: string;
  readonly elements: number;
  readonly bytes: number;
  /** As TensorInfo.grids, where the least value of a run is no whole number of steps (others are found by looking at the weights). */
  readonly grids?: TensorInfo['grids'];
  /** Writes the values of all whole blocks of `bytes` to `values`. */
  dequantize(bytes: Uint8Array, values: Float32Array): void;
}

function blocks(
  name: string,
  elements: number,
  size: number,
  read: BlockReader,
  grids?: TensorInfo['grids'],
): BlockFormat {
  return {
    ...(grids && { grids }),
    name,
    elements,
    bytes: size,
    dequantize(bytes, values) {
      const count = Math.floor(bytes.length / size);
      for (let block = 0; block < count; block += 1) read(bytes, block * size, values, block * elements);
    },
  };
}

function plain(name: 'F32' | 'F16' | 'BF16', size: number): BlockFormat {
  return {
    name,
    elements: 1,
    bytes: size,
    dequantize: (bytes, values) => values.set(decodeElements(name, bytes, name)),
  };
}

const half = (bytes: Uint8Array, at: number) => halfValue((bytes[at] as number) | ((bytes[at + 1] as number) << 8));
const signed = (byte: number) => (byte << 24) >> 24;

/** Half scale, then 16 bytes with two 4-bit codes each: the low halves are the first 16 values. */
const q4_0: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  for (let i = 0; i < 16; i += 1) {
    const code = bytes[at + 2 + i] as number;
    values[to + i] = scale * ((code & 15) - 8);
    values[to + i + 16] = scale * ((code >> 4) - 8);
  }
};

/** As q4_0, with a minimum instead of a fixed offset. */
const q4_1: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  const minimum = half(bytes, at + 2);
  for (let i = 0; i < 16; i += 1) {
    const code = bytes[at + 4 + i] as number;
    values[to + i] = scale * (code & 15) + minimum;
    values[to + i + 16] = scale * (code >> 4) + minimum;
  }
};

/** The fifth bits of 32 values are one 32-bit word before the codes. */
const fifthBits = (bytes: Uint8Array, at: number) =>
  (bytes[at] as number) |
  ((bytes[at + 1] as number) << 8) |
  ((bytes[at + 2] as number) << 16) |
  ((bytes[at + 3] as number) << 24);

const q5_0: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  const high = fifthBits(bytes, at + 2);
  for (let i = 0; i < 16; i += 1) {
    const code = bytes[at + 6 + i] as number;
    values[to + i] = scale * (((code & 15) | (((high >>> i) & 1) << 4)) - 16);
    values[to + i + 16] = scale * (((code >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
  }
};

const q5_1: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  const minimum = half(bytes, at + 2);
  const high = fifthBits(bytes, at + 4);
  for (let i = 0; i < 16; i += 1) {
    const code = bytes[at + 8 + i] as number;
    values[to + i] = scale * ((code & 15) | (((high >>> i) & 1) << 4)) + minimum;
    values[to + i + 16] = scale * ((code >> 4) | (((high >>> (i + 16)) & 1) << 4)) + minimum;
  }
};

const q8_0: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  for (let i = 0; i < 32; i += 1) values[to + i] = scale * signed(bytes[at + 2 + i] as number);
};

/** The 6-bit scale and minimum of one of eight sub-blocks, packed into 12 bytes: 4 low scales, 4 low minima, 4 bytes with the low bits of the others. */
function subScale(bytes: Uint8Array, at: number, sub: number): number {
  if (sub < 4) return (bytes[at + sub] as number) & 63;
  return ((bytes[at + sub + 4] as number) & 15) | (((bytes[at + sub - 4] as number) >> 6) << 4);
}
function subMinimum(bytes: Uint8Array, at: number, sub: number): number {
  if (sub < 4) return (bytes[at + sub + 4] as number) & 63;
  return ((bytes[at + sub + 4] as number) >> 4) | (((bytes[at + sub] as number) >> 6) << 4);
}

/** Two half scales, 12 bytes of sub-scales, then 4 runs of 32 bytes: low halves are one sub-block of 32, high halves the next. */
const q4K: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  const minimum = half(bytes, at + 2);
  for (let sub = 0; sub < 8; sub += 1) {
    const d = scale * subScale(bytes, at + 4, sub);
    const m = minimum * subMinimum(bytes, at + 4, sub);
    const codes = at + 16 + (sub >> 1) * 32;
    const shift = (sub & 1) * 4;
    for (let i = 0; i < 32; i += 1) values[to + sub * 32 + i] = d * (((bytes[codes + i] as number) >> shift) & 15) - m;
  }
};

/** As q4K, with the fifth bits in 32 bytes before the codes: bit `sub` of byte i belongs to value i of that sub-block. */
const q5K: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at);
  const minimum = half(bytes, at + 2);
  for (let sub = 0; sub < 8; sub += 1) {
    const d = scale * subScale(bytes, at + 4, sub);
    const m = minimum * subMinimum(bytes, at + 4, sub);
    const codes = at + 48 + (sub >> 1) * 32;
    const shift = (sub & 1) * 4;
    for (let i = 0; i < 32; i += 1) {
      const high = (((bytes[at + 16 + i] as number) >> sub) & 1) << 4;
      values[to + sub * 32 + i] = d * ((((bytes[codes + i] as number) >> shift) & 15) | high) - m;
    }
  }
};

/** 128 bytes of low halves, 64 of upper two bits, 16 signed sub-scales (one per 16 values), half scale. Two halves of 128 values of four runs of 32 each. */
const q6K: BlockReader = (bytes, at, values, to) => {
  const scale = half(bytes, at + 208);
  for (let run = 0; run < 8; run += 1) {
    const upper = run >> 2;
    const quarter = run & 3;
    const low = at + upper * 64 + (quarter & 1) * 32;
    const lowShift = (quarter >> 1) * 4;
    const high = at + 128 + upper * 32;
    for (let i = 0; i < 32; i += 1) {
      const code =
        (((bytes[low + i] as number) >> lowShift) & 15) | ((((bytes[high + i] as number) >> (quarter * 2)) & 3) << 4);
      const d = scale * signed(bytes[at + 192 + run * 2 + (i >> 4)] as number);
      values[to + run * 32 + i] = d * (code - 32);
    }
  }
};

/** By ggml's type number. */
export const BLOCK_FORMATS: ReadonlyMap<number, BlockFormat> = new Map([
  [0, plain('F32', 4)],
  [1, plain('F16', 2)],
  [2, blocks('Q4_0', 32, 18, q4_0)],
  [3, blocks('Q4_1', 32, 20, q4_1, { bits: 4, block: 32 })],
  [6, blocks('Q5_0', 32, 22, q5_0)],
  [7, blocks('Q5_1', 32, 24, q5_1)],
  [8, blocks('Q8_0', 32, 34, q8_0)],
  [10, blocks('Q2_K', 256, 84, q2K)],
  [11, blocks('Q3_K', 256, 110, q3K)],
  [12, blocks('Q4_K', 256, 144, q4K, { bits: 4, block: 32 })],
  [13, blocks('Q5_K', 256, 176, q5K)],
  [14, blocks('Q6_K', 256, 210, q6K)],
  [15, blocks('Q8_K', 256, 292, q8K)],
  [20, blocks('IQ4_NL', 32, 18, iq4Nl)],
  [23, blocks('IQ4_XS', 256, 136, iq4Xs)],
  [30, plain('BF16', 2)],
  [39, blocks('MXFP4', 32, 17, mxfp4)],
]);

/** ggml types that exist but are not read, so that errors can name them. */
export const OTHER_GGML_TYPES: ReadonlyMap<number, string> = new Map([
  [9, 'Q8_1'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [24, 'I8'],
  [25, 'I16'],
  [26, 'I32'],
  [27, 'I64'],
  [28, 'F64'],
  [29, 'IQ1_M'],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
]);
