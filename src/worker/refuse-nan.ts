import { DeviceError } from '../errors.ts';

/**
 * Throws DeviceError where a result for the page, plain objects and arrays of any depth, has NaN in place of a number: a figure that is none is told, not shown. Arrays of numbers that
 * kernels gave (typed arrays) are checked where they are made.
 */
export function refuseNaN(value: unknown, path: string): void {
  if (typeof value === 'number' && Number.isNaN(value))
    throw new DeviceError(
      `The engine's result "${path}" is no number (NaN). Try again on another backend, and please report what was done.`,
    );
  if (Array.isArray(value)) for (const [index, element] of value.entries()) refuseNaN(element, `${path}[${index}]`);
  else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    for (const [key, field] of Object.entries(value)) refuseNaN(field, `${path}.${key}`);
}
