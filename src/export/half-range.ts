import { UnsupportedError } from '../errors.ts';

/** What is rounded to infinity in half precision: from the middle between its largest number and the next power of two on. */
const TOO_LARGE = 65_520;

/** Throws UnsupportedError where a value of a weight does not fit half precision, with what helps. */
export function refuseBeyondHalf(values: Float32Array, name: string, remedy: string): void {
  for (const value of values)
    if (Math.abs(value) >= TOO_LARGE)
      throw new UnsupportedError(
        `The weight ${name} has the value ${value}, and half precision ends at 65,504: it would become infinite. ${remedy}`,
      );
}
