import { FileFormatError, MissingError } from '../../../errors.ts';
import { quote } from '../../weights.ts';
import type { GgufValue } from './gguf-reader.ts';

/** Typed access to a GGUF file's metadata. Getters throw FileFormatError for a value of another type, and MissingError where one is required. */
export class GgufMetadata {
  readonly file: string;
  readonly #entries: ReadonlyMap<string, GgufValue>;

  constructor(file: string, entries: ReadonlyMap<string, GgufValue>) {
    this.file = file;
    this.#entries = entries;
  }

  /** Names and values of the entries whose names begin with `prefix`. */
  beginning(prefix: string): (readonly [key: string, value: GgufValue])[] {
    return [...this.#entries].filter(([key]) => key.startsWith(prefix));
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  number(key: string): number | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || typeof value === 'number') return value;
    return this.#wrong(key, value, 'a number');
  }

  requiredNumber(key: string): number {
    return this.number(key) ?? this.#missing(key);
  }

  boolean(key: string): boolean | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.#wrong(key, value, 'a truth value');
  }

  string(key: string): string | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || typeof value === 'string') return value;
    return this.#wrong(key, value, 'a text');
  }

  requiredString(key: string): string {
    return this.string(key) ?? this.#missing(key);
  }

  numbers(key: string): readonly number[] | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    if (typeof value === 'object' && ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
    return this.#wrong(key, value, 'an array of numbers');
  }

  /** A number for all layers, or one for each. */
  maybeNumbers(key: string): number | number[] | undefined {
    const value = this.#entries.get(key);
    if (value === undefined || typeof value === 'number') return value;
    return [...(this.numbers(key) ?? [])];
  }

  strings(key: string): readonly string[] | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value as readonly string[];
    return this.#wrong(key, value, 'an array of texts');
  }

  #wrong(key: string, value: GgufValue, wanted: string): never {
    const found = typeof value === 'object' ? 'an array' : `the ${typeof value} ${JSON.stringify(value).slice(0, 40)}`;
    throw new FileFormatError(
      `${this.file}: metadata entry ${quote(key)} is ${found} where ${wanted} is expected. Take another GGUF file of the model.`,
    );
  }

  #missing(key: string): never {
    throw new MissingError(
      `${this.file} has no metadata entry ${quote(key)}; the file was made by a converter that left it out. Take another GGUF of the model.`,
    );
  }
}

/** A float32 as the shortest decimal that means it: 1e-5 instead of 0.000009999999747378752. */
export function shortest(value: number): number {
  for (let digits = 1; digits <= 9; digits += 1) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === Math.fround(value)) return candidate;
  }
  return value;
}
