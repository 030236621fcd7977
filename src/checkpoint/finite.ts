import { FileFormatError } from '../errors.ts';
import { quote } from './weights.ts';

/** The exponent of float32 patterns that stand for infinities and not-a-numbers. */
const EXPONENT = 0x7f800000;

/** Place of the first value that is infinite or no number, or -1. One comparison of integers a value: cheaper than its conversion from half precision. */
export function findNotFinite(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let at = 0; at < bits.length; at += 1) if (((bits[at] as number) & EXPONENT) === EXPONENT) return at;
  return -1;
}

/**
 * Throws FileFormatError naming the tensor and the place of the first value of `values` that is infinite or no number. They are rows of a tensor of `shape`, from
 * `firstRow` on.
 */
export function checkFinite(
  values: Float32Array,
  {
    model,
    name,
    shape,
    firstRow = 0,
  }: { readonly model: string; readonly name: string; readonly shape: readonly number[]; readonly firstRow?: number },
): void {
  const at = findNotFinite(values);
  if (at < 0) return;
  const columns = shape.slice(1).reduce((product, size) => product * size, 1);
  const row = firstRow + Math.floor(at / columns);
  const place = shape.length > 1 ? `row ${row}, column ${at % columns}` : `place ${row}`;
  throw new FileFormatError(
    `${model}: the tensor ${quote(name)} is ${values[at]} at ${place}. Such a model computes nothing: it was damaged, or overflowed in training or when it was converted to half precision. Take another copy of it, or convert it anew in bfloat16 or float32.`,
  );
}
