import { UsageError } from '../errors.ts';
import { tensorByteLength } from './data-types.ts';
import { findLocationProblem } from './external-location.ts';
import type { DataType, Initializer } from './graph.ts';

/** Where one tensor lies in an external data file, in bytes. */
export interface PlacedTensor {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Assigns places in one external data file before any contents exist, so that weights can be computed and written one at a time:
 * `builder.initializer(name, layout.place(name, 'float32', shape))` for each, then `writeModel` for the graph.
 * Offsets are multiples of `alignment` (ONNX Runtime maps aligned tensors into memory without copying).
 */
export class ExternalDataLayout {
  /** File name as the model refers to it, e.g. 'model.onnx_data'. */
  readonly location: string;
  readonly #alignment: number;
  readonly #tensors: PlacedTensor[] = [];
  #byteLength = 0;

  /** Throws UsageError when `location` could lead outside the model's folder. `alignment` is in bytes. */
  constructor(location: string, alignment = 4096) {
    const problem = findLocationProblem(location);
    if (problem)
      throw new UsageError(
        `${JSON.stringify(location)} cannot be an external data location: ${problem}. Give a file name such as model.onnx_data.`,
      );
    if (!Number.isSafeInteger(alignment) || alignment < 1)
      throw new UsageError(`The alignment is ${alignment} bytes; it must be a whole number from 1.`);
    this.location = location;
    this.#alignment = alignment;
  }

  /** Bytes of the file so far; its end is the end of the last tensor. */
  get byteLength(): number {
    return this.#byteLength;
  }

  /** Placed tensors in file order. */
  get tensors(): readonly PlacedTensor[] {
    return this.#tensors;
  }

  /** Takes the next place for a tensor and returns the initializer that refers to it. */
  place(name: string, dataType: DataType, shape: readonly number[]): Initializer {
    const length = tensorByteLength(dataType, shape);
    const offset = Math.ceil(this.#byteLength / this.#alignment) * this.#alignment;
    if (!Number.isSafeInteger(offset + length))
      throw new UsageError(`Tensor ${name} of ${dataType} [${shape.join(', ')}] is too large to place.`);
    this.#tensors.push({ name, offset, length });
    this.#byteLength = offset + length;
    return { dataType, shape, contents: { kind: 'external', location: this.location, offset, length } };
  }
}
