import { UsageError } from '../errors.ts';
import { tensorByteLength } from './data-types.ts';
import { findLocationProblem } from './external-location.ts';
import type { DataType, Graph, Initializer } from './graph.ts';

/** Where one tensor lies in an external data file, in bytes. */
export interface PlacedTensor {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Assigns places in one external data file before any contents exist, so that weights can be computed and written one at a time:
 * `builder.initializer(name, layout.place(name, 'float32', shape))` for each, then `writeModel` for the graph and `externalDataChunks`
 * for the file. Offsets are multiples of `alignment` (ONNX Runtime maps aligned tensors into memory without copying).
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

/** A graph whose large initializers are references into one external file, and the contents of that file. */
export interface ExternalisedGraph {
  readonly graph: Graph;
  readonly layout: ExternalDataLayout;
  /** Contents by tensor name; the arrays are those of the original graph, not copies. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

/**
 * Moves every initializer of at least `threshold` bytes out of `graph`, into a layout for `location`. Smaller ones (shapes, axes and
 * scalars, which runtimes want to see at load) stay inside. Those that are external already stay as they are.
 */
export function planExternalData(
  graph: Graph,
  location: string,
  { threshold = 1024, alignment = 4096 }: { readonly threshold?: number; readonly alignment?: number } = {},
): ExternalisedGraph {
  const layout = new ExternalDataLayout(location, alignment);
  const contents = new Map<string, Uint8Array>();
  const initializers = new Map<string, Initializer>();
  for (const [name, initializer] of graph.initializers) {
    if (initializer.contents.kind === 'external' && initializer.contents.location === location)
      throw new UsageError(`Tensor ${name} already lies in ${location}; give the new data another location.`);
    if (initializer.contents.kind === 'bytes' && initializer.contents.bytes.byteLength >= threshold) {
      contents.set(name, initializer.contents.bytes);
      initializers.set(name, layout.place(name, initializer.dataType, initializer.shape));
    } else initializers.set(name, initializer);
  }
  return { graph: { ...graph, initializers }, layout, contents };
}

/**
 * The bytes of the external data file in order, padding included, for a file or network stream. `read` gives the contents of one tensor;
 * it is called once per tensor in file order, and only one tensor's contents are held at a time. Throws UsageError when `read` gives a
 * wrong number of bytes.
 */
export async function* externalDataChunks(
  layout: ExternalDataLayout,
  read: (tensor: PlacedTensor) => Uint8Array | Promise<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = 0;
  for (const tensor of layout.tensors) {
    const bytes = await read(tensor);
    if (bytes.byteLength !== tensor.length)
      throw new UsageError(
        `Tensor ${tensor.name} was placed with ${tensor.length} bytes in ${layout.location}, but ${bytes.byteLength} are given.`,
      );
    if (tensor.offset > position) yield new Uint8Array(tensor.offset - position);
    if (bytes.byteLength > 0) yield bytes;
    position = tensor.offset + tensor.length;
  }
}

/** The whole external data file in memory, e.g. to hand to a session. Throws like `externalDataChunks`. */
export function externalDataBytes({ layout, contents }: ExternalisedGraph): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(layout.byteLength);
  for (const { name, offset, length } of layout.tensors) {
    const bytes = contents.get(name);
    if (bytes?.byteLength !== length)
      throw new UsageError(
        `Tensor ${name} was placed with ${length} bytes in ${layout.location}, but ${bytes?.byteLength ?? 'none'} are given.`,
      );
    file.set(bytes, offset);
  }
  return file;
}
