import { countParameters, type Model } from '../../architecture/model.ts';
import { INTERLEAVED, storedRow, storedTensor } from '../../checkpoint/formats/gguf/gguf-tensors.ts';
import { readTokenizerFiles } from '../../checkpoint/tokenizer/tokenizer.ts';
import { UnsupportedError } from '../../errors.ts';
import { refuseBeyondHalf } from '../half-range.ts';
import { GGUF_TYPES, type GgufType } from './blocks.ts';
import { type GgufEntry, type GgufFile, type GgufTensorEntry, ggufFile } from './file.ts';
import { type GgufHome, ggufHome } from './home.ts';
import { ggufHyperparameters } from './hyperparameters.ts';
import { ggufTokenizer } from './tokenizer.ts';

/** Version of ggml's block formats (`GGML_QNT_VERSION`). */
const QUANTISATION_VERSION = 2;
/** Values of a matrix that are read, converted and written at a time. */
const CHUNK = 1 << 20;

export interface GgufModelOptions {
  /** Storage of the matrices. Embedding and output matrix are Q8_0 in files of 4 bits, as coarser ones cost more there than they save. */
  readonly type: GgufType;
  /** Text for choosing the rule for words where the tokenizer has none of llama.cpp's. */
  readonly sample?: string | undefined;
}

export interface GgufModel extends GgufFile {
  readonly home: GgufHome;
  /** What llama.cpp does otherwise than the model's own files say, in sentences. */
  readonly notes: readonly string[];
}

/**
 * A (pruned) model as a GGUF file for llama.cpp: the family's own architecture where all layers are equally wide, `deci` or `openelm` where they differ (`ggufHome`). Weights are
 * read and converted while the file is written. Throws UnsupportedError where llama.cpp has no home for the shape, the tokenizer or a width.
 */
export async function ggufModel(model: Model, { type, sample = '' }: GgufModelOptions): Promise<GgufModel> {
  const home = ggufHome(model);
  const { checkpoint, architecture } = model;
  const { metadata, factors } = ggufHyperparameters(model, home);
  const tokenizer = ggufTokenizer(await readTokenizerFiles(checkpoint), architecture.config.vocabulary, sample);
  const tensors = [...[...factors].map(([name, values]) => vector(name, values)), ...weightEntries(model, home, type)];
  const general = generalEntries(model, home, type);
  return { ...ggufFile([...general, ...metadata, ...tokenizer.metadata], tensors), home, notes: tokenizer.notes };
}

/** What the file tells about the model: what a GGUF file that it came from told, with its own size. */
function generalEntries(model: Model, { architecture }: GgufHome, type: GgufType): GgufEntry[] {
  const { name, licence, described = {} } = model.checkpoint.provenance;
  const { name: title = name, size_label: size, ...told } = described;
  return [
    { key: 'general.architecture', kind: 'string', value: architecture },
    { key: 'general.type', kind: 'string', value: 'model' },
    { key: 'general.name', kind: 'string', value: String(title) },
    ...(size === undefined
      ? []
      : [{ key: 'general.size_label', kind: 'string' as const, value: sizeLabel(countParameters(model).parameters) }]),
    ...(licence === undefined ? [] : [{ key: 'general.license', kind: 'string' as const, value: licence }]),
    ...Object.entries(told).map(([each, value]): GgufEntry => {
      const key = `general.${each}`;
      if (typeof value === 'string') return { key, kind: 'string', value };
      return typeof value === 'number' ? { key, kind: 'uint32', value } : { key, kind: 'string[]', value };
    }),
    { key: 'general.file_type', kind: 'uint32', value: GGUF_TYPES[type].fileType },
    { key: 'general.quantization_version', kind: 'uint32', value: QUANTISATION_VERSION },
  ];
}

/** A number of parameters as converters to GGUF write it: '135M', '1.7B'. */
function sizeLabel(parameters: number): string {
  const [unit, letter] = parameters >= 1e9 ? [1e9, 'B'] : parameters >= 1e6 ? [1e6, 'M'] : [1e3, 'K'];
  const count = parameters / unit;
  return `${count.toFixed(count >= 9.5 ? 0 : 1)}${letter}`;
}

function vector(name: string, values: Float32Array): GgufTensorEntry {
  const bytes = GGUF_TYPES.F32.encode(values);
  return {
    name,
    shape: [values.length],
    code: GGUF_TYPES.F32.code,
    byteLength: bytes.byteLength,
    async *chunks() {
      yield bytes;
    },
  };
}

function weightEntries(model: Model, home: GgufHome, type: GgufType): GgufTensorEntry[] {
  const entries: GgufTensorEntry[] = [];
  for (const name of model.checkpoint.tensors.keys()) {
    const joined = home.architecture === 'openelm' ? joinedQueryKeyValue(name) : undefined;
    if (joined?.sources.length === 0) continue;
    const stored = joined?.stored ?? storedTensor(name, home.architecture);
    if (stored === undefined)
      throw new UnsupportedError(
        `The tensor ${name} has no place in a GGUF file of the architecture ${home.architecture}. Take the model away as ONNX or safetensors.`,
      );
    entries.push(weightEntry(model, stored, joined?.sources ?? [name], home, type));
  }
  return entries;
}

/** OpenELM has query, key and value in one tensor: written in the place of the query, left out in those of the others. */
function joinedQueryKeyValue(name: string) {
  const match = /^model\.layers\.(\d+)\.self_attn\.([qkv])_proj\.weight$/.exec(name);
  if (!match) return undefined;
  const parts = match[2] === 'q' ? ['q_proj', 'k_proj', 'v_proj'] : [];
  return { stored: `blk.${match[1]}.attn_qkv.weight`, sources: parts.map((part) => name.replace('q_proj', part)) };
}

function weightEntry(
  { checkpoint, architecture }: Model,
  stored: string,
  sources: readonly string[],
  home: GgufHome,
  type: GgufType,
): GgufTensorEntry {
  const infos = sources.map((source) => ({ source, shape: checkpoint.tensors.get(source)?.shape ?? [] }));
  const columns = infos[0]?.shape.slice(1).reduce((product, size) => product * size, 1) ?? 1;
  const rows = infos.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const isVector = (infos[0]?.shape.length ?? 0) < 2;
  const isTable = /^(token_embd|output)\.weight$/.test(stored);
  const chosen = isVector ? 'F32' : isTable && type.startsWith('Q4') ? 'Q8_0' : type;
  const block = GGUF_TYPES[chosen];
  if (columns % block.elements !== 0 && !isVector)
    throw new UnsupportedError(
      `${stored} has rows of ${columns} values, and a block of ${chosen} holds ${block.elements}. Prune to widths that are a multiple of ${block.elements} (--round-to ${block.elements}, or --shape standard), or choose F16.`,
    );
  const { headDimension } = architecture.config;
  const isInterleaved = INTERLEAVED.has(home.architecture) && /\.attn_[qk]\.(weight|bias)$/.test(stored);
  const offset = home.architecture === 'gemma3' && /norm\.weight$/.test(stored) ? 1 : 0;
  const unit = isInterleaved ? headDimension : 1;
  const step = Math.max(unit, Math.floor(CHUNK / columns / unit) * unit);
  return {
    name: stored,
    shape: isVector ? [rows] : [rows, columns],
    code: block.code,
    byteLength: ((rows * columns) / block.elements) * block.bytes,
    async *chunks() {
      for (const { source, shape } of infos) {
        const count = shape[0] ?? 0;
        for (let start = 0; start < count; start += step) {
          const end = Math.min(count, start + step);
          const values = await checkpoint.read(source, { start, end });
          const turned = isInterleaved ? interleaveHeads(values, headDimension, columns) : values;
          if (chosen === 'F16')
            refuseBeyondHalf(values, source, 'Write the GGUF file as Q8_0 or F32 (--gguf-type, ggufType).');
          yield block.encode(offset === 0 ? turned : turned.map((value) => value + offset));
        }
      }
    },
  };
}

/** Rows of whole heads, [heads * headDimension, columns], in the order in which llama.cpp's rotary embedding takes them. */
function interleaveHeads(values: Float32Array, headDimension: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  const rows = values.length / columns;
  for (let row = 0; row < rows; row++)
    result.set(values.subarray(row * columns, (row + 1) * columns), storedRow(row, headDimension) * columns);
  return result;
}
