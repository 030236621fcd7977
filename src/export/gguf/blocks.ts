import { floatToHalf, halfValue } from '../../checkpoint/half.ts';

/** Storage types that matrices are written in; vectors are F32 always. */
export type GgufType = 'F32' | 'F16' | 'Q8_0' | 'Q4_0' | 'Q4_1';

/** How a type lies in the file. */
export interface GgufBlock {
  /** ggml's number of the type. */
  readonly code: number;
  /** `general.file_type` of a file whose matrices are of it (llama.h, `llama_ftype`). */
  readonly fileType: number;
  /** Values of a row that share one block. */
  readonly elements: number;
  readonly bytes: number;
  /** Writes the blocks of `values`, a multiple of `elements` long. */
  encode(values: Float32Array): Uint8Array;
}

const half = (value: number) => floatToHalf(Float32Array.of(value))[0] as number;
const { fround, trunc } = Math;

function blocks(
  code: number,
  fileType: number,
  bytes: number,
  write: (values: Float32Array, from: number, view: DataView, at: number) => void,
): GgufBlock {
  return {
    code,
    fileType,
    elements: 32,
    bytes,
    encode(values) {
      const count = values.length / 32;
      const view = new DataView(new ArrayBuffer(count * bytes));
      for (let block = 0; block < count; block++) write(values, block * 32, view, block * bytes);
      return new Uint8Array(view.buffer);
    },
  };
}

/** ggml's quantize_row_q8_0_ref: the largest magnitude becomes 127. */
const q8 = blocks(8, 7, 34, (values, from, view, at) => {
  let largest = 0;
  for (let i = 0; i < 32; i++) largest = Math.max(largest, Math.abs(values[from + i] as number));
  const step = fround(largest / 127);
  const inverse = step === 0 ? 0 : fround(1 / step);
  view.setUint16(at, half(step), true);
  for (let i = 0; i < 32; i++) view.setInt8(at + 2 + i, roundAway(fround((values[from + i] as number) * inverse)));
});

/** C's roundf: halves go away from zero. */
function roundAway(value: number): number {
  return Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
}

/** ggml's quantize_row_q4_0_ref: the value of the largest magnitude becomes code 0, -8 steps. */
const q4Symmetric = blocks(2, 2, 18, (values, from, view, at) => {
  let extreme = 0;
  for (let i = 0; i < 32; i++) {
    const value = values[from + i] as number;
    if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  }
  const step = fround(extreme / -8);
  const inverse = step === 0 ? 0 : fround(1 / step);
  view.setUint16(at, half(step), true);
  const codeOf = (value: number) => Math.min(15, trunc(fround(fround(value * inverse) + 8.5)));
  for (let i = 0; i < 16; i++)
    view.setUint8(at + 2 + i, codeOf(values[from + i] as number) | (codeOf(values[from + i + 16] as number) << 4));
});

/**
 * Q4_1: codes 0 to 15 between a minimum and a maximum, as ggml's quantize_row_q4_1_ref, but with the codes found for the step and minimum as they are stored in half
 * precision, so that values which lie on such a grid already come out as they were.
 */
const q4WithMinimum = blocks(3, 3, 20, (values, from, view, at) => {
  let [smallest, largest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let i = 0; i < 32; i++) {
    const value = values[from + i] as number;
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
  }
  const storedStep = half(fround((largest - smallest) / 15));
  const storedMinimum = half(smallest);
  const [step, minimum] = [halfValue(storedStep), halfValue(storedMinimum)];
  view.setUint16(at, storedStep, true);
  view.setUint16(at + 2, storedMinimum, true);
  const codeOf = (value: number) =>
    step === 0 ? 0 : Math.max(0, Math.min(15, Math.floor((value - minimum) / step + 0.5)));
  for (let i = 0; i < 16; i++)
    view.setUint8(at + 4 + i, codeOf(values[from + i] as number) | (codeOf(values[from + i + 16] as number) << 4));
});

export const GGUF_TYPES: Readonly<Record<GgufType, GgufBlock>> = {
  F32: { code: 0, fileType: 0, elements: 1, bytes: 4, encode: (values) => asBytes(values) },
  F16: { code: 1, fileType: 1, elements: 1, bytes: 2, encode: (values) => asBytes(floatToHalf(values)) },
  Q8_0: q8,
  Q4_0: q4Symmetric,
  Q4_1: q4WithMinimum,
};

function asBytes({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
