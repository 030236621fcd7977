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
 * Throws UnsupportedError for a type whose values float32 cannot stand for (8-bit floats and 64-bit integers).
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
    case 'U8':
    case 'BOOL':
      return Float32Array.from(bytes);
    default:
      throw new UnsupportedError(
        `Tensor ${quote(tensor)} is stored as ${storage}; weights may be F32, F16, BF16 or F64. Convert the model to one of these.`,
      );
  }
}

/** Constructor arguments for a typed array over `bytes`, copied first if they do not begin at a multiple of `size`. */
function aligned(bytes: Uint8Array, size: number): [ArrayBufferLike, number, number] {
  const whole = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return [whole.buffer, whole.byteOffset, Math.floor(whole.byteLength / size)];
}
