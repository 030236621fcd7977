import { elementCount } from '../../../arrays.ts';
import { FileFormatError, MissingError } from '../../../errors.ts';
import { assembleCheckpoint } from '../../assemble.ts';
import type { ByteSource, Checkpoint, Provenance, TensorInfo } from '../../checkpoint.ts';
import type { FileAccess } from '../../files/files.ts';
import { JSON_LIMITS, type JsonRecord, readWhole } from '../../files/json.ts';
import type { OpenOptions } from '../../open-options.ts';
import { elementRange, missingTensor, quote, type RowRange, type Weights } from '../../weights.ts';
import { ggufArchitecture, ggufConfig } from './gguf-config.ts';
import { type GgufTensor, readGgufHeader } from './gguf-header.ts';
import { GgufMetadata } from './gguf-metadata.ts';
import { type CanonicalTensor, canonicalTensor, deinterleaveHeads } from './gguf-tensors.ts';
import { type GgufTokenizer, ggufTokenizer } from './gguf-tokenizer.ts';

/**
 * A GGUF model: config.json, tokenizer.json and generation settings are made of its metadata, tensors are renamed, dequantised and brought into the
 * Hugging Face order. `weights` names the file, or the first part of one split by llama.cpp; only headers are read.
 * Throws FileFormatError, MissingError (a part, a metadata entry) or UnsupportedError (architecture, quantisation).
 */
export async function openGguf(files: FileAccess, weights: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const parts = await openParts(files, weights);
  const [{ source, metadata }] = parts;
  const architecture = ggufArchitecture(metadata);
  const stored = new Map<string, StoredTensor>();
  for (const part of parts) {
    for (const [name, tensor] of part.tensors) {
      if (stored.has(name))
        throw new FileFormatError(
          `${part.source.name} has the tensor ${quote(name)}, which another part has too. Keep the parts of one model only.`,
        );
      stored.set(name, { source: part.source, tensor });
    }
  }
  const config = ggufConfig(metadata, {
    vocabulary:
      stored.get('token_embd.weight')?.tensor.shape[0] ?? missingTensor('token_embd.weight', source.name, stored),
    hasTensor: (name) => stored.has(name),
    ropeFactors: {
      plain: await readSmall(stored.get('rope_freqs.weight')),
      long: await readSmall(stored.get('rope_factors_long.weight')),
      short: await readSmall(stored.get('rope_factors_short.weight')),
    },
  });
  const licence = metadata.string('general.license');
  return await assembleCheckpoint({
    weights: ggufWeights(
      parts.map((part) => part.source),
      stored,
      architecture,
      config,
    ),
    config,
    companion: companionFiles(metadata, config, files),
    provenance: {
      name: options.name ?? metadata.string('general.name') ?? weights,
      ...(options.revision === undefined ? {} : { revision: options.revision }),
      ...(licence === undefined ? {} : { licence }),
      described: describedModel(metadata),
    },
  });
}

/** Entries that tell about the file, not about the model. */
const OF_THE_FILE = ['architecture', 'type', 'license', 'file_type', 'quantization_version', 'alignment'];

/** What the file tells about the model beside what it needs to run it. */
function describedModel(metadata: GgufMetadata): NonNullable<Provenance['described']> {
  const isText = (value: unknown): value is string => typeof value === 'string';
  const entries = metadata.beginning('general.').flatMap(([key, value]): [string, string | number | string[]][] => {
    const name = key.slice('general.'.length);
    if (OF_THE_FILE.includes(name)) return [];
    if (Array.isArray(value)) return value.every(isText) ? [[name, value]] : [];
    const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32;
    return isText(value) || isCount ? [[name, value]] : [];
  });
  return Object.fromEntries(entries);
}

interface Part {
  readonly source: ByteSource;
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

interface StoredTensor {
  readonly source: ByteSource;
  readonly tensor: GgufTensor;
}

/** The file, or all parts of a model that llama.cpp split: NAME-00001-of-00003.gguf. The first part has the metadata. */
async function openParts(files: FileAccess, weights: string): Promise<readonly [Part, ...Part[]]> {
  const split = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(weights);
  const total = split ? Number(split[3]) : 1;
  const partName = (i: number) =>
    split ? `${split[1]}-${String(i + 1).padStart(5, '0')}-of-${split[3]}.gguf` : weights;
  const open = async (name: string): Promise<Part> => {
    const source = await files.open(name);
    if (!source)
      throw new MissingError(
        `${files.name} has no file ${quote(name)}${split ? `, one of the ${total} parts of the model` : ''}.`,
      );
    const header = await readGgufHeader(source);
    return { source, metadata: new GgufMetadata(source.name, header.metadata), tensors: header.tensors };
  };
  const first = await open(partName(0));
  const claimed = first.metadata.number('split.count') ?? 1;
  if (claimed > 1 && claimed !== total)
    throw new MissingError(
      `${weights} is the first of ${claimed} parts; they are named NAME-00001-of-0000N.gguf. Put all of them beside it.`,
    );
  const rest: Part[] = [];
  for (let i = 1; i < total; i += 1) rest.push(await open(partName(i)));
  return [first, ...rest];
}

/** Tensors that are part of the config: `ggufConfig` has read them. */
const SETTINGS = ['rope_freqs.weight', 'rope_factors_long.weight', 'rope_factors_short.weight'];

function ggufWeights(
  sources: readonly ByteSource[],
  stored: ReadonlyMap<string, StoredTensor>,
  architecture: string,
  config: JsonRecord,
): Weights {
  const tensors = new Map<string, TensorInfo>();
  /** `skipped`: elements of the stored tensor before this one, where several are joined. */
  const origins = new Map<string, StoredTensor & CanonicalTensor & { readonly skipped?: number }>();
  for (const [storedName, each] of stored) {
    if (SETTINGS.includes(storedName)) continue;
    const joined = architecture === 'openelm' ? joinedProjections(storedName, config) : undefined;
    if (joined) {
      const columns = each.tensor.shape[1] ?? 0;
      let firstRow = 0;
      for (const { name, rows } of joined) {
        const byteLength = ((rows * columns) / each.tensor.format.elements) * each.tensor.format.bytes;
        tensors.set(name, { name, ...stand(each.tensor), shape: [rows, columns], byteLength });
        origins.set(name, { ...each, name, change: { kind: 'none' }, skipped: firstRow * columns });
        firstRow += rows;
      }
      if (firstRow !== each.tensor.shape[0])
        throw new FileFormatError(
          `${each.source.name}: tensor ${quote(storedName)} has ${each.tensor.shape[0] ?? 0} rows, and queries, keys and values of its layer take ${firstRow}.`,
        );
      continue;
    }
    // A tensor without a canonical name keeps its own, so that it is named as one that nobody reads.
    const canonical = canonicalTensor(storedName, architecture, config.head_dim as number) ?? {
      name: storedName,
      change: { kind: 'none' },
    };
    const { tensor, source } = each;
    const { change, name } = canonical;
    if (
      change.kind === 'interleaved-heads' &&
      ((tensor.shape[0] ?? 0) % change.headDimension !== 0 || change.headDimension % 2 !== 0)
    ) {
      throw new FileFormatError(
        `${source.name}: tensor ${quote(storedName)} has ${tensor.shape[0] ?? 0} rows, which do not divide into heads of ${change.headDimension}.`,
      );
    }
    tensors.set(name, {
      name,
      ...stand(tensor),
      shape: tensor.shape,
      byteLength: tensor.end - tensor.start,
    });
    origins.set(name, { ...each, ...canonical });
  }
  return {
    format: 'gguf',
    sources,
    tensors,
    async read(name: string, rows?: RowRange): Promise<Float32Array> {
      const origin = origins.get(name) ?? missingTensor(name, sources[0]?.name ?? 'the model', tensors);
      const info = tensors.get(name) as TensorInfo;
      const { first, count } = elementRange(info, rows);
      const { change, tensor } = origin;
      if (change.kind === 'interleaved-heads') return readHeads(origin, change.headDimension, first, count);
      const values = await readElements(origin, (origin.skipped ?? 0) + first, count);
      if (change.kind === 'plus-one') for (let i = 0; i < values.length; i += 1) values[i] = (values[i] as number) - 1;
      return tensor.shape.length === 0 ? values.subarray(0, 1) : values;
    },
  };
}

/** What a tensor's format says of it. */
function stand({ format: { name, grids } }: GgufTensor): Pick<TensorInfo, 'storage' | 'grids'> {
  return { storage: name, ...(grids && { grids }) };
}

/** Query, key and value of a layer where they are one tensor, in this order; undefined for other tensors. */
function joinedProjections(stored: string, config: JsonRecord) {
  const match = /^blk\.(\d{1,6})\.attn_qkv\.weight$/.exec(stored);
  if (!match) return undefined;
  const { layers } = config.espalier as { layers: readonly { readonly keyValueHeads: number }[] };
  const { keyValueHeads = 0 } = layers[Number(match[1])] ?? {};
  const keyRows = keyValueHeads * (config.head_dim as number);
  const perGroup = (config.num_attention_heads as number) / (config.num_key_value_heads as number);
  const name = (part: string) => `model.layers.${Number(match[1])}.self_attn.${part}_proj.weight`;
  return [
    { name: name('q'), rows: keyRows * perGroup },
    { name: name('k'), rows: keyRows },
    { name: name('v'), rows: keyRows },
  ];
}

/** Elements [first, first + count) in stored order; both are multiples of a block because rows are. */
async function readElements({ source, tensor }: StoredTensor, first: number, count: number): Promise<Float32Array> {
  const { format, start } = tensor;
  const offset = start + (first / format.elements) * format.bytes;
  const bytes = await source.read(offset, offset + (count / format.elements) * format.bytes);
  const values = new Float32Array(count);
  format.dequantize(bytes, values);
  return values;
}

/** Reads the heads that the wanted rows lie in, puts their rows in order and cuts the wanted ones out. */
async function readHeads(
  origin: StoredTensor,
  headDimension: number,
  first: number,
  count: number,
): Promise<Float32Array> {
  const rowSize = origin.tensor.shape[1] ?? 1;
  const headSize = headDimension * rowSize;
  if (headSize === 0 || count === 0) return new Float32Array(count);
  const from = Math.floor(first / headSize) * headSize;
  const to = Math.ceil((first + count) / headSize) * headSize;
  const values = deinterleaveHeads(await readElements(origin, from, to - from), headDimension, rowSize);
  return from === first && to === first + count ? values : values.slice(first - from, first - from + count);
}

/** Factor tensors are a few hundred bytes; a larger one is not what it says. */
async function readSmall(stored: StoredTensor | undefined): Promise<Float32Array | undefined> {
  if (!stored) return undefined;
  const elements = elementCount(stored.tensor.shape);
  if (elements > 4096)
    throw new FileFormatError(
      `${stored.source.name}: tensor ${quote(stored.tensor.name)} has ${elements} values; one per frequency is expected. Take another GGUF file of the model.`,
    );
  return readElements(stored, 0, elements);
}

const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json'];

/**
 * Companion files of the Hugging Face layout, made when first asked for. Files beside the GGUF may belong to another model, so they are used only for a
 * tokenizer that cannot be made.
 */
function companionFiles(
  metadata: GgufMetadata,
  config: unknown,
  files: FileAccess,
): (name: string) => Promise<Uint8Array | undefined> {
  const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  let tokenizer: GgufTokenizer | undefined;
  return async (name) => {
    if (name === 'config.json') return encode(config);
    if (!TOKENIZER_FILES.includes(name)) return undefined;
    try {
      tokenizer ??= ggufTokenizer(metadata);
    } catch (error) {
      if (!(await files.open('tokenizer.json'))) throw error;
      const beside = await files.open(name);
      return beside && readWhole(beside, JSON_LIMITS.tokenizer);
    }
    if (name === 'tokenizer.json') return encode(tokenizer.tokenizer);
    return encode(name === 'tokenizer_config.json' ? tokenizer.tokenizerConfig : tokenizer.generationConfig);
  };
}
