import { FileFormatError, MissingError, throwIfCancelled } from '../errors.ts';
import { findLocationProblem } from './external-location.ts';
import type { Attribute, Graph, Initializer, Node } from './graph.ts';

/** Random access to one external data file; every ByteSource is one. `read` gives exactly end - start bytes. */
export interface ExternalFile {
  readonly byteLength: number;
  read(start: number, end: number): Promise<Uint8Array>;
}

/** Finds the external data file at a location relative to the model (never absolute, never with '..'); undefined when there is none. */
export type OpenExternalFile = (location: string) => ExternalFile | undefined | Promise<ExternalFile | undefined>;

/** An external data file that is in memory. Reads are views, not copies. */
export function externalFileFromBytes(bytes: Uint8Array): ExternalFile {
  return { byteLength: bytes.byteLength, read: async (start, end) => bytes.subarray(start, end) };
}

/**
 * The same graph with every external tensor's contents read in. Every place is checked against the length of its file before the first
 * read. Throws MissingError for a file that `open` does not find, FileFormatError for a place outside its file or a short read, and
 * CancelledError.
 */
export async function resolveExternalData(
  graph: Graph,
  open: OpenExternalFile,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Graph> {
  const files = new ExternalFiles(open);
  for (const [name, tensor] of tensorsOf(graph)) await files.check(name, tensor);
  const resolve = async (name: string, tensor: Initializer): Promise<Initializer> => {
    throwIfCancelled(options.signal);
    if (tensor.contents.kind === 'bytes') return tensor;
    return { ...tensor, contents: { kind: 'bytes', bytes: await files.read(name, tensor) } };
  };
  const initializers = new Map<string, Initializer>();
  for (const [name, tensor] of graph.initializers) initializers.set(name, await resolve(name, tensor));
  const nodes: Node[] = [];
  for (const node of graph.nodes) nodes.push(await resolveAttributes(node, resolve));
  return { ...graph, initializers, nodes };
}

/** The contents of one tensor, wherever they are. Throws like `resolveExternalData`. */
export async function readTensorContents(
  name: string,
  tensor: Initializer,
  open: OpenExternalFile,
): Promise<Uint8Array> {
  return new ExternalFiles(open).read(name, tensor);
}

/** Opens each location once, and reads only what lies within its file. */
class ExternalFiles {
  readonly #open: OpenExternalFile;
  readonly #files = new Map<string, ExternalFile>();

  constructor(open: OpenExternalFile) {
    this.#open = open;
  }

  async read(name: string, tensor: Initializer): Promise<Uint8Array> {
    const { contents } = tensor;
    if (contents.kind === 'bytes') return contents.bytes;
    const file = await this.#file(name, contents.location);
    this.#checkPlace(name, contents, file);
    const bytes = await file.read(contents.offset, contents.offset + contents.length);
    if (bytes.byteLength !== contents.length)
      throw new FileFormatError(
        `Reading tensor ${name} from ${contents.location} gave ${bytes.byteLength} of ${contents.length} bytes.`,
      );
    return bytes;
  }

  async check(name: string, { contents }: Initializer): Promise<void> {
    if (contents.kind === 'external') this.#checkPlace(name, contents, await this.#file(name, contents.location));
  }

  #checkPlace(name: string, { location, offset, length }: ExternalContents, file: ExternalFile): void {
    const valid = [offset, length, offset + length].every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!valid || offset + length > file.byteLength)
      throw new FileFormatError(
        `Tensor ${name} lies at bytes ${offset} to ${offset + length} of ${location}, which has ${file.byteLength}. The file is truncated or belongs to another model.`,
      );
  }

  async #file(name: string, location: string): Promise<ExternalFile> {
    const known = this.#files.get(location);
    if (known) return known;
    const problem = findLocationProblem(location);
    if (problem)
      throw new FileFormatError(
        `Tensor ${name} has the external data location ${JSON.stringify(location)}, which is refused because ${problem}.`,
      );
    const file = await this.#open(location);
    if (!file)
      throw new MissingError(
        `The external data file ${location}, which holds tensor ${name}, is not there. Put it beside the model.`,
      );
    this.#files.set(location, file);
    return file;
  }
}

type ExternalContents = Extract<Initializer['contents'], { kind: 'external' }>;

function* tensorsOf(graph: Graph): Generator<readonly [string, Initializer]> {
  yield* graph.initializers;
  for (const node of graph.nodes)
    for (const [name, attribute] of Object.entries(node.attributes))
      if (attribute.kind === 'tensor') yield [`${name} of ${node.name}`, attribute.value];
}

async function resolveAttributes(
  node: Node,
  resolve: (name: string, tensor: Initializer) => Promise<Initializer>,
): Promise<Node> {
  const attributes: [string, Attribute][] = [];
  for (const [name, attribute] of Object.entries(node.attributes))
    attributes.push([
      name,
      attribute.kind === 'tensor'
        ? { kind: 'tensor', value: await resolve(`${name} of ${node.name}`, attribute.value) }
        : attribute,
    ]);
  return { ...node, attributes: Object.fromEntries(attributes) };
}
