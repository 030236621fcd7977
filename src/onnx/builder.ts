import { elementCount } from '../arrays.ts';
import { UsageError } from '../errors.ts';
import type { Attribute, DataType, Dimension, Graph, Initializer, Node, ValueInfo } from './graph.ts';

/** ONNX operator set that Espalier emits; `com.microsoft` is ONNX Runtime's own set. */
const OPSETS: Readonly<Record<string, number>> = { '': 21, 'com.microsoft': 1 };

/** Attribute values as callers write them: whole numbers are ints unless wrapped by `float`. */
export type AttributeInput = number | string | readonly number[] | Attribute;

export const float = (value: number): Attribute => ({ kind: 'float', value });

/** Appends nodes in order and hands out value names. One builder makes one graph. */
export class GraphBuilder {
  readonly #name: string;
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #nodes: Node[] = [];
  readonly #values = new Set<string>();
  readonly #nodeNames = new Set<string>();
  readonly #constants = new Map<string, string>();
  #counter = 0;

  /** Starts empty, or from an existing graph (outputs left out) that is to be extended. */
  constructor(name: string, from?: Graph) {
    this.#name = name;
    if (!from) return;
    for (const input of from.inputs) this.input(input.name, input.dataType, input.shape);
    for (const [key, initializer] of from.initializers) this.initializer(key, initializer);
    for (const node of from.nodes) this.append(node);
  }

  /** Declares a graph input and returns its name. */
  input(name: string, dataType: DataType, shape: readonly Dimension[]): string {
    this.#claim(name);
    this.#inputs.push({ name, dataType, shape });
    return name;
  }

  /** Declares that `value` is a graph output called `name` (an Identity is added when the names differ). */
  output(value: string, dataType: DataType, shape: readonly Dimension[], name = value): void {
    if (name !== value)
      this.append({
        name: `output/${name}`,
        operator: 'Identity',
        domain: '',
        inputs: [value],
        outputs: [name],
        attributes: {},
      });
    this.#outputs.push({ name, dataType, shape });
  }

  initializer(name: string, initializer: Initializer): string {
    this.#claim(name);
    this.#initializers.set(name, initializer);
    return name;
  }

  /** A constant from numbers; equal constants share one initializer. Default type float32. Throws UsageError when shape or type do not fit the values. */
  constant(
    values: readonly number[],
    shape: readonly number[] = values.length === 1 ? [] : [values.length],
    dataType: DataType = 'float32',
  ): string {
    if (elementCount(shape) !== values.length)
      throw new UsageError(
        `A constant of shape [${shape.join(', ')}] has ${elementCount(shape)} elements, but ${values.length} are given.`,
      );
    const key = `${dataType}[${shape.join(',')}]${values.map((value) => (Object.is(value, -0) ? '-0' : value)).join(',')}`;
    const known = this.#constants.get(key);
    if (known) return known;
    const name = this.unique('constant');
    this.initializer(name, { dataType, shape, contents: { kind: 'bytes', bytes: encode(values, dataType) } });
    this.#constants.set(key, name);
    return name;
  }

  /** A one-dimensional int64 constant: shapes, axes, indices. */
  integers(values: readonly number[]): string {
    return this.constant(values, [values.length], 'int64');
  }

  /** Adds a node with one output and returns the output's name. `''` marks an absent optional input. */
  add(
    operator: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
    options: { readonly name?: string; readonly domain?: string } = {},
  ): string {
    return this.addMany(operator, inputs, 1, attributes, options)[0] as string;
  }

  /** Adds a node with `outputs` outputs and returns their names. */
  addMany(
    operator: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, AttributeInput>> = {},
    options: { readonly name?: string; readonly domain?: string } = {},
  ): string[] {
    const base = options.name ?? this.unique(operator.toLowerCase());
    const names = outputs === 1 ? [base] : Array.from({ length: outputs }, (_, index) => `${base}:${index}`);
    this.append({
      name: `node/${base}`,
      operator,
      domain: options.domain ?? '',
      inputs,
      outputs: names,
      attributes: mapAttributes(attributes),
    });
    return names;
  }

  /** Appends a ready node; its outputs must be new names and its inputs known ones. */
  append(node: Node): void {
    for (const input of node.inputs) {
      if (input !== '' && !this.#values.has(input))
        throw new UsageError(
          `Node ${node.name} (${node.operator}) reads ${input}, which no earlier node, input or initializer provides.`,
        );
    }
    for (const output of node.outputs) if (output !== '') this.#claim(output);
    const name = this.#freeNodeName(node.name);
    this.#nodes.push(name === node.name ? node : { ...node, name });
  }

  /** ONNX wants node names to be unique; nodes taken over from another graph may share one. */
  #freeNodeName(wanted: string): string {
    let name = wanted;
    for (let suffix = 1; this.#nodeNames.has(name); suffix++) name = `${wanted}~${suffix}`;
    this.#nodeNames.add(name);
    return name;
  }

  /** A value name that is not taken yet. */
  unique(base: string): string {
    let name: string;
    do name = `${base}_${this.#counter++}`;
    while (this.#values.has(name) || this.#values.has(`${name}:0`));
    return name;
  }

  has(value: string): boolean {
    return this.#values.has(value);
  }

  build(metadata: Readonly<Record<string, string>> = {}): Graph {
    const domains = new Set(this.#nodes.map((node) => node.domain));
    const opsets = Object.fromEntries(
      Object.entries(OPSETS).filter(([domain]) => domain === '' || domains.has(domain)),
    );
    return {
      name: this.#name,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      initializers: new Map(this.#initializers),
      nodes: [...this.#nodes],
      opsets,
      metadata,
    };
  }

  #claim(name: string): void {
    if (this.#values.has(name)) throw new UsageError(`The graph ${this.#name} already has a value called ${name}.`);
    this.#values.add(name);
  }
}

function mapAttributes(attributes: Readonly<Record<string, AttributeInput>>): Record<string, Attribute> {
  return Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, toAttribute(value)]));
}

function toAttribute(value: AttributeInput): Attribute {
  if (typeof value === 'number') return Number.isInteger(value) ? { kind: 'int', value } : { kind: 'float', value };
  if (typeof value === 'string') return { kind: 'string', value };
  return 'kind' in value ? value : { kind: 'ints', value };
}

/** Lowest and highest element of the integer types; int64 as far as a number is exact. */
const INTEGER_RANGES: Readonly<Partial<Record<DataType, readonly [number, number]>>> = {
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int8: [-128, 127],
  uint8: [0, 255],
  bool: [0, 1],
};

/**
 * Little-endian bytes of `values` in `dataType`. Throws UsageError for a value that an integer type cannot hold, and for float16, which is
 * not offered here: encode it where checkpoints are read, or use float32 and a Cast.
 */
export function encode(values: readonly number[], dataType: DataType): Uint8Array {
  const range = INTEGER_RANGES[dataType];
  const bad = range && values.find((value) => !Number.isInteger(value) || value < range[0] || value > range[1]);
  if (range && bad !== undefined)
    throw new UsageError(`${bad} is no ${dataType}; write whole numbers from ${range[0]} to ${range[1]}.`);
  switch (dataType) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(values).buffer);
    case 'int64':
      return new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(values).buffer);
    case 'int8':
      return new Uint8Array(Int8Array.from(values).buffer);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(values);
    case 'float16':
      throw new UsageError('Constants of type float16 cannot be written from numbers; use float32 and a Cast.');
  }
}
