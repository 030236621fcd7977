import type { ByteSource, Checkpoint } from '../checkpoint.ts';
import type { FileAccess } from '../files/files.ts';
import type { OpenOptions } from '../open-options.ts';
import { openGguf } from './gguf/gguf.ts';
import { openOnnx } from './onnx/onnx.ts';
import { INDEX, openFolder, SINGLE } from './safetensors/safetensors-folder.ts';

/** A form that a model's weights may have. Names of files are relative to the model's folder, pieces of cut files joined. */
export interface ModelFormat {
  /** Shown to people. */
  readonly name: 'safetensors' | 'GGUF' | 'ONNX';
  /** Whether a file has weights of this form, or is a part of them that names a model. */
  matches(file: string): boolean;
  /** The files of `all` that make the model to which `file` belongs: first the one that is opened, then what it needs. */
  files(file: string, all: readonly string[]): readonly string[];
  /** Opens the model whose first file is `file`. */
  open(files: FileAccess, file: string, options: OpenOptions): Promise<Checkpoint>;
  /** Several models of a folder are number formats of one: the one that comes first here is taken. Else somebody has to choose. */
  readonly preference?: readonly string[];
}

const PART = /-\d{5}-of-\d{5}\.(safetensors|gguf)$/;

/** The Hugging Face layout: one file, or parts with an index that says which tensor is where. */
const SAFETENSORS: ModelFormat = {
  name: 'safetensors',
  matches: (file) => /\.safetensors$/i.test(file) || file === INDEX,
  files(file, all) {
    const isSharded = (file === INDEX || PART.test(file)) && all.includes(INDEX);
    return isSharded ? [INDEX, ...all.filter((name) => name.endsWith('.safetensors') && PART.test(name))] : [file];
  },
  open: (files, file, options) => openFolder(files, { ...options, weights: file }),
  preference: [SINGLE, INDEX],
};

/** llama.cpp's: one file, or parts of which the first has the metadata. */
const GGUF: ModelFormat = {
  name: 'GGUF',
  matches: (file) => /\.gguf$/i.test(file),
  files(file, all) {
    const [, base, total] = /^(.*)-\d{5}-of-(\d{5})\.gguf$/.exec(file) ?? [];
    if (base === undefined) return [file];
    const parts = all.filter((name) => name.startsWith(`${base}-`) && name.endsWith(`-of-${total}.gguf`)).sort();
    return [...new Set([`${base}-00001-of-${total}.gguf`, ...parts])];
  },
  open: openGguf,
};

/** An exported decoder, with weights inside or beside it: `model.onnx_data`, `model.onnx_data_1`, `model.onnx.data`. */
const ONNX: ModelFormat = {
  name: 'ONNX',
  matches: (file) => /\.onnx$/i.test(file),
  files(file, all) {
    const named = all.filter((name) => name.startsWith(file) && /^[._]data(_\d+)?$/.test(name.slice(file.length)));
    if (named.length > 0) return [file, ...named];
    // Some writers give the data a name of its own. Which it is stands in the graph; those that belong to another graph are left out.
    const folder = file.slice(0, file.lastIndexOf('/') + 1);
    const graphs = all.filter((name) => /\.onnx$/i.test(name));
    const inFolder = all.filter((name) => name.startsWith(folder) && !name.slice(folder.length).includes('/'));
    return [
      file,
      ...inFolder.filter((name) => /[._]data(_\d+)?$/.test(name) && !graphs.some((graph) => name.startsWith(graph))),
    ];
  },
  open: openOnnx,
  // By transformers.js' names, most exact first.
  preference: [
    'onnx/model.onnx',
    'model.onnx',
    'onnx/decoder_model.onnx',
    'decoder_model.onnx',
    'onnx/model_fp16.onnx',
    'onnx/model_q8.onnx',
    'onnx/model_quantized.onnx',
    'onnx/model_q4.onnx',
    'onnx/model_q4f16.onnx',
  ],
};

/** Every form that is read, the one that is preferred first. */
export const FORMATS: readonly ModelFormat[] = [SAFETENSORS, GGUF, ONNX];

/** The form of a weight file, or undefined for other files. */
export function formatOf(file: string): ModelFormat | undefined {
  return FORMATS.find(({ matches }) => matches(file));
}

/** The form that a file has by its first bytes, whatever its name: programs keep models under their digests. */
export async function formatByContents(source: ByteSource): Promise<ModelFormat | undefined> {
  const start = new TextDecoder('latin1').decode(await source.read(0, Math.min(4, source.byteLength)));
  return start === 'GGUF' ? GGUF : undefined;
}

/** First files of the models of a form that are among `all`, in order of preference, each once. */
export function modelsIn(all: readonly string[], format: ModelFormat): string[] {
  const first = all.filter((name) => format.matches(name)).map((name) => format.files(name, all)[0] ?? name);
  const rank = (name: string) => {
    const place = format.preference?.indexOf(name) ?? -1;
    return place < 0 ? Number.POSITIVE_INFINITY : place;
  };
  return [...new Set(first)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** The name of a model whose weight file a person names: without the ending that says its form. */
export function withoutEnding(file: string): string {
  return file.replace(/\.(gguf|safetensors|onnx)$/i, '');
}
