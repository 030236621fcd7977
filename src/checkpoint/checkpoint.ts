import type { GroupQuantised } from './group-quantised.ts';

/** A tensor of a checkpoint. */
export interface TensorInfo {
  /** Its name in the Hugging Face layout. */
  readonly name: string;
  /** Storage type as the file names it, e.g. 'F16', 'BF16', 'Q4_1'. */
  readonly storage: string;
  /** Rows first. */
  readonly shape: readonly number[];
  /** Bytes in the file. */
  readonly byteLength: number;
  /** Of a matrix whose weights have few values: each run of `block` of a row has at most 2^bits, evenly spaced from one of its own on. */
  readonly grids?: {
    /** Bits of a value. */
    readonly bits: number;
    /** Elements of a run. */
    readonly block: number;
  };
}

/** A row of a table of rotary angles that a graph carries: what its writer took the config's fields for them to mean. */
export interface RotaryRow {
  /** Of the table of cosines. */
  readonly name: string;
  /** Of the token. */
  readonly position: number;
  /** [rotaryDimension / 2] each. */
  readonly cosine: Float32Array;
  /** The same of sines. */
  readonly sine: Float32Array;
}

/** Where a model came from and under which terms. */
export interface Provenance {
  /** Shown to people: 'stories', a folder's name, 'org/name'. */
  readonly name: string;
  /** Of a hub: the commit. */
  readonly revision?: string;
  /** As the model card names it, e.g. 'apache-2.0'. */
  readonly licence?: string;
  /** 'safetensors' | 'gguf' | 'onnx' */
  readonly format: string;
  /** Of a GGUF file: what its `general.` entries tell about the model (its makers, languages, models that it was made from), by their names without that word. */
  readonly described?: Readonly<Record<string, string | number | readonly string[]>>;
}

/**
 * A model at rest. Tensors are named as in the Hugging Face layout ('model.layers.0.self_attn.q_proj.weight'), whatever the file.
 * Nothing is read until asked for; reads are float32, row-major.
 */
export interface Checkpoint {
  /** Where it came from. */
  readonly provenance: Provenance;
  /** Parsed config.json (or the same made from GGUF metadata). */
  readonly config: Readonly<Record<string, unknown>>;
  /** A tied embedding has one entry, 'model.embed_tokens.weight'; `read` accepts 'lm_head.weight' for it too. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** What was decided on the file's own word against that of its config, in sentences for a person. */
  readonly notes?: readonly string[];
  /** Of an ONNX graph with tables of rotary angles: a row of each, which the config must agree with. */
  readonly rotaryRows?: readonly RotaryRow[];
  /** Total bytes of the weight files. */
  readonly byteLength: number;
  /**
   * A whole tensor, or rows [start, end) of its first axis, dequantised to float32.
   * Throws MissingError naming the tensor and FileFormatError for truncated data.
   */
  read(name: string, rows?: { readonly start: number; readonly end: number }): Promise<Float32Array>;
  /** The codes of a weight that is held in N-bit groups, so that an export can write them as they are; absent or undefined for others. */
  readonly groupQuantised?: (name: string) => GroupQuantised | undefined;
  /** A companion file such as 'tokenizer.json', or undefined. */
  file(name: string): Promise<Uint8Array | undefined>;
  /** SHA-256 (hex) over the weight files. */
  sha256(): Promise<string>;
}

/** Random access to bytes: a File, a file on disk, an HTTP resource with ranges. */
export interface ByteSource {
  /** Shown to people: the file's name. */
  readonly name: string;
  /** Its size. */
  readonly byteLength: number;
  /** Exactly end - start bytes, or FileFormatError. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** SHA-256 (hex) of all bytes, where the source has a faster way than reading itself in chunks. */
  sha256?(signal?: AbortSignal): Promise<string>;
}
