/** The intermediate representation: a typed subset of ONNX (IR version 10). Plain data; `builder.ts` makes it, `write.ts` and `read.ts` convert it. */

export type DataType = 'float32' | 'float16' | 'float64' | 'int64' | 'int32' | 'int8' | 'uint8' | 'bool';

/** A size, or the name of a symbolic size such as 'tokens'. */
export type Dimension = number | string;

export interface TensorType {
  readonly dataType: DataType;
  readonly shape: readonly Dimension[];
}

/** A named graph input or output. */
export interface ValueInfo extends TensorType {
  readonly name: string;
}

/** Raw little-endian tensor contents, or where they lie in an external file. */
export type TensorContents =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'external'; readonly location: string; readonly offset: number; readonly length: number };

export interface Initializer {
  readonly dataType: DataType;
  readonly shape: readonly number[];
  readonly contents: TensorContents;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Initializer };

export interface Node {
  readonly name: string;
  /** ONNX operator type, e.g. 'Gemm'. */
  readonly operator: string;
  /** '' for ai.onnx, 'com.microsoft' for ONNX Runtime's own. */
  readonly domain: string;
  /** Value names; '' marks an optional input that is absent. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Nodes are in topological order; every value has one producer. */
export interface Graph {
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  readonly nodes: readonly Node[];
  /** Types of values between inputs and outputs, for tools that do not know every operator; runtimes need none. */
  readonly values?: readonly ValueInfo[];
  /** Operator set version per domain, e.g. { '': 21, 'com.microsoft': 1 }. */
  readonly opsets: Readonly<Record<string, number>>;
  /** Model metadata properties. */
  readonly metadata: Readonly<Record<string, string>>;
}
