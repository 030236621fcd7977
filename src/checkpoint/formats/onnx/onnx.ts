import { FileFormatError, MissingError } from '../../../errors.ts';
import { findLocationProblem } from '../../../onnx/external-location.ts';
import type { Graph, Initializer } from '../../../onnx/graph.ts';
import { readModel } from '../../../onnx/read.ts';
import { assembleCheckpoint } from '../../assemble.ts';
import type { ByteSource, Checkpoint, RotaryRow, TensorInfo } from '../../checkpoint.ts';
import { decodeElements, elementBytes } from '../../elements.ts';
import type { FileAccess } from '../../files/files.ts';
import type { JsonRecord } from '../../files/json.ts';
import { placeholder } from '../../files/placeholder.ts';
import type { OpenOptions } from '../../open-options.ts';
import { elementRange, missingTensor, quote, type RowRange, type Weights } from '../../weights.ts';
import { describeOrigin, readConfig } from '../safetensors/safetensors-folder.ts';
import { refuseOtherLogits } from './onnx-logits.ts';
import { initializerOf, type OnnxContents, type OnnxTensor, readOnnxTensor, storageName } from './onnx-matrix.ts';
import { recoverTensors, withConstants } from './onnx-recover.ts';
import { onnxSkeleton } from './onnx-skeleton.ts';

/** Graphs without their weights are small; a larger skeleton is no decoder. */
const LARGEST_SKELETON = 256 << 20;

/**
 * A checkpoint recovered from an exported decoder: Optimum's, onnx-community's, ONNX Runtime GenAI's and our own, with weights inside or in external data,
 * in float32, half precision or blocks of 4 or 8 bits. Only the graph is read; weights are read by ranges.
 * Throws FileFormatError, MissingError (config.json, external data) or UnsupportedError (graphs that do not say which weight is which).
 */
export async function openOnnx(files: FileAccess, weights: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const source = await files.open(weights);
  if (!source) throw new MissingError(`${files.name} has no file ${quote(weights)}.`);
  await refusePlaceholder(source);
  const config = await readConfig(files);
  const slash = weights.lastIndexOf('/') + 1;
  const [folder, self] = [weights.slice(0, slash), weights.slice(slash)];
  const skeleton = await onnxSkeleton(source, self);
  if (skeleton.length > LARGEST_SKELETON)
    throw new FileFormatError(
      `${weights} has a graph of ${skeleton.length} bytes without its weights, more than a decoder needs. Take the model's safetensors or GGUF.`,
    );
  const graph = withConstants(readModel(skeleton));
  refuseOtherLogits(graph, config, weights);
  const sources = await openData(files, folder, self, source, graph);
  const checkpoint = await assembleCheckpoint({
    weights: onnxWeights(graph, config, weights, sources),
    config,
    files,
    provenance: await describeOrigin(files, options),
  });
  return { ...checkpoint, rotaryRows: await rotaryRows(graph.initializers, sources) };
}

/** Throws FileFormatError for what a download left in place of the file. */
async function refusePlaceholder(source: ByteSource): Promise<void> {
  const found = await placeholder(source);
  if (found !== undefined) throw new FileFormatError(found);
}

/** The files that hold contents, by location. Each tensor must lie within its file. */
async function openData(
  files: FileAccess,
  folder: string,
  self: string,
  source: ByteSource,
  graph: Graph,
): Promise<Map<string, ByteSource>> {
  const sources = new Map([[self, source]]);
  for (const [name, { contents }] of graph.initializers) {
    if (contents.kind === 'bytes') continue;
    const { location, offset, length } = contents;
    const problem = findLocationProblem(location);
    if (problem)
      throw new FileFormatError(
        `${source.name}: tensor ${quote(name)} has the external data location ${quote(location)}, which is refused because ${problem}.`,
      );
    const data = sources.get(location) ?? (await files.open(folder + location));
    if (!data) throw await missingData(files, folder, location, source.name);
    sources.set(location, data);
    if (offset + length > data.byteLength) await refusePlaceholder(data);
    if (offset + length > data.byteLength) {
      throw new FileFormatError(
        `${data.name} is truncated: tensor ${quote(name)} lies at bytes ${offset} to ${offset + length}, and it has ${data.byteLength}. Fetch it again.`,
      );
    }
  }
  return sources;
}

/** External data that is not there under its name: perhaps it was renamed together with the graph, which goes on naming the old one. */
async function missingData(files: FileAccess, folder: string, location: string, graph: string): Promise<MissingError> {
  const inFolder = (await files.list()).filter(
    (name) => name.startsWith(folder) && !name.slice(folder.length).includes('/'),
  );
  const renamed = inFolder.filter((name) => /[._]data(_\d+)?$/.test(name));
  const remedy =
    renamed.length > 0
      ? `Put it beside the model; if it is one of those that are there (${renamed.slice(0, 3).join(', ')}), give that one its name back.`
      : 'Put it beside the model.';
  return new MissingError(
    `${files.name} has no file ${quote(folder + location)}, which holds weights of ${graph}. ${remedy}`,
  );
}

/** Tables of angles by name, as GenAI's builder and our own exports call them, and that of the sines. */
const TABLES = [
  [/cos_cache$/, 'sin_cache'],
  [/^rotary\.(\d+\.)?cosine$/, 'sine'],
] as const;
/** A row in which the angles of all but the slowest channels are well away from zero. */
const TOLD_POSITION = 16;

async function rotaryRows(
  initializers: ReadonlyMap<string, Initializer>,
  sources: ReadonlyMap<string, ByteSource>,
): Promise<RotaryRow[]> {
  const rows: RotaryRow[] = [];
  const rowOf = async (name: string, position: number) => {
    const table = initializerOf(initializers, name);
    const storage = storageName(table);
    const bytes = (table.shape[1] ?? 0) * (elementBytes(storage) ?? 0);
    return decodeElements(
      storage,
      (await readBytes(table, name, sources, position * bytes, (position + 1) * bytes)).slice(),
      name,
    );
  };
  for (const [name, { shape, dataType }] of initializers) {
    const [pattern, sines] = TABLES.find(([matches]) => matches.test(name)) ?? [];
    const partner = name.replace(/cos_cache$|cosine$/, sines ?? '');
    if (!pattern || shape.length !== 2 || !dataType.startsWith('float') || !initializers.has(partner)) continue;
    const position = Math.min(TOLD_POSITION, (shape[0] ?? 1) - 1);
    rows.push({ name, position, cosine: await rowOf(name, position), sine: await rowOf(partner, position) });
  }
  return rows;
}

function onnxWeights(
  graph: Graph,
  config: JsonRecord,
  file: string,
  sources: ReadonlyMap<string, ByteSource>,
): Weights {
  const { initializers } = graph;
  const recovered = recoverTensors(graph, config, file);
  const contents: OnnxContents = {
    initializers,
    read: (name, start, end) => readBytes(initializerOf(initializers, name), name, sources, start, end),
  };
  const tensors = new Map([...recovered].map(([name, tensor]) => [name, tensorInfo(tensor, initializers)]));
  return {
    format: 'onnx',
    sources: [...sources.values()],
    tensors,
    async read(name: string, rows?: RowRange): Promise<Float32Array> {
      const tensor = recovered.get(name) ?? missingTensor(name, file, tensors);
      const info = tensors.get(name) as TensorInfo;
      elementRange(info, rows);
      return readOnnxTensor(tensor, rows ?? { start: 0, end: info.shape[0] ?? 1 }, contents);
    },
  };
}

/** Bytes of all that is read for a tensor, and its storage type: of plain elements, or 'Q4' and 'Q8' for blocks. */
function tensorInfo({ name, shape, parts }: OnnxTensor, initializers: ReadonlyMap<string, Initializer>): TensorInfo {
  const size = (initializer: string | undefined) => {
    const contents = initializer === undefined ? undefined : initializers.get(initializer)?.contents;
    return contents === undefined ? 0 : contents.kind === 'bytes' ? contents.bytes.length : contents.length;
  };
  let byteLength = 0;
  let storage = '';
  for (const part of parts) {
    const { kind, name: stored } = part.storage;
    const all =
      kind === 'blocks' ? size(stored) + size(part.storage.scales) + size(part.storage.zeroPoints) : size(stored);
    byteLength += Math.round((all * part.rows) / Math.max(1, part.storedRows));
    storage = kind === 'blocks' ? `Q${part.storage.bits}` : storageName(initializerOf(initializers, stored));
  }
  return { name, storage, shape, byteLength };
}

async function readBytes(
  { contents }: Initializer,
  name: string,
  sources: ReadonlyMap<string, ByteSource>,
  start = 0,
  end?: number,
): Promise<Uint8Array> {
  const length = contents.kind === 'bytes' ? contents.bytes.length : contents.length;
  const to = end ?? length;
  if (to > length)
    throw new FileFormatError(
      `Tensor ${quote(name)} has ${length} bytes, and ${to} are needed for its shape. The file was cut or rewritten; export the model again.`,
    );
  if (contents.kind === 'bytes') return contents.bytes.subarray(start, to);
  const source = sources.get(contents.location) ?? missingTensor(name, contents.location, sources);
  return source.read(contents.offset + start, contents.offset + to);
}
