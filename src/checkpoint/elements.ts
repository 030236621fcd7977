import { UnsupportedError } from '../errors.ts';
import { bfloat16ToFloat, halfToFloat } from './half.ts';
import { quote } from './weights.ts';

/** Bytes per element of the plain (unquantised) element types, by safetensors' names. */
const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map([
  ['F64', 8],
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['F8_E4M3', 1],
  ['F8_E5M2', 1],
  ['I64', 8],
  ['I32', 4],
  ['I16', 2],
  ['I8', 1],
  ['U64', 8],
  ['U32', 4],
  ['U16', 2],
  ['U8', 1],
  ['BOOL', 1],
]);

/** Bytes per element, or undefined for an unknown type. */
export function elementBytes(storage: string): number | undefined {
  return ELEMENT_BYTES.get(storage);
}

/**
 * Little-endian elements as float32. `bytes` may be returned as a view of the same memory where it is float32 already.
 * Throws UnsupportedError for a type whose values float32 cannot stand for (64-bit integers) or that is not read (e5m2).
 */
export function decodeElements(storage: string, bytes: Uint8Array, tensor: string): Float32Array {
  switch (storage) {
    case 'F32':
      return new Float32Array(...aligned(bytes, 4));
    case 'F16':
      return halfToFloat(new Uint16Array(...aligned(bytes, 2)));
    case 'BF16':
      return bfloat16ToFloat(new Uint16Array(...aligned(bytes, 2)));
    case 'F64':
      return Float32Array.from(new Float64Array(...aligned(bytes, 8)));
    case 'I32':
      return Float32Array.from(new Int32Array(...aligned(bytes, 4)));
    case 'I16':
      return Float32Array.from(new Int16Array(...aligned(bytes, 2)));
    case 'I8':
      return Float32Array.from(new Int8Array(...aligned(bytes, 1)));
    case 'F8_E4M3':
      return Float32Array.from(bytes, (code) => E4M3[code] as number);
    case 'U8':
    case 'BOOL':
      return Float32Array.from(bytes);
    default:
      throw new UnsupportedError(
        `Tensor ${quote(tensor)} is stored as ${storage}; weights may be F32, F16, BF16, F64 or F8_E4M3. Convert the model to one of these.`,
      );
  }
}

/** Floats of four bits of exponent and three of mantissa (Micikevicius et al., arXiv 2209.05433), by their code; without infinities. */
const E4M3 = Float32Array.from({ length: 256 }, (_, code) => {
  const [sign, exponent, mantissa] = [code & 128 ? -1 : 1, (code >> 3) & 15, code & 7];
  if (exponent === 15 && mantissa === 7) return Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -9 : (8 + mantissa) * 2 ** (exponent - 10));
});

/** Constructor arguments for a typed array over `bytes`, copied first if they do not begin at a multiple of `size`. */
function aligned(bytes: Uint8Array, size: number): [ArrayBufferLike, number, number] {
  const whole = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return [whole.buffer, whole.byteOffset, Math.floor(whole.byteLength / size)];
}
