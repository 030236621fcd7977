import { FileFormatError, UnsupportedError } from '../errors.ts';

import { checkKeys, type KeyRules } from './config-keys.ts';

type Raw = Readonly<Record<string, unknown>>;

const REMEDY = 'Correct config.json or fetch it again.';

/**
 * Checked access to the fields of config.json, or of an object inside it. A field that is null counts as absent.
 * Errors name the field, the value found, the values allowed and the remedy: FileFormatError for missing and ill-typed values,
 * UnsupportedError for well-formed ones that Espalier does not compute.
 */
export class ConfigFields {
  readonly #raw: Raw;
  readonly #path: string;
  readonly #aliases: Readonly<Record<string, string>>;

  /** `aliases`: what an architecture calls a field, by the name under which it is asked for here. */
  constructor(raw: Raw, path = '', aliases: Readonly<Record<string, string>> = {}) {
    this.#raw = raw;
    this.#path = path;
    this.#aliases = aliases;
  }

  has(key: string): boolean {
    return (this.#at(key) ?? undefined) !== undefined;
  }

  /** A whole number from `minimum` (default 1) to `maximum`. */
  integer(key: string, maximum: number, fallback?: number, minimum = 1): number {
    const value = this.#value(key, fallback);
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
    throw this.wrong(key, `a whole number from ${minimum} to ${maximum}`);
  }

  positive(key: string, fallback?: number): number {
    const value = this.#value(key, fallback);
    if (isPositive(value)) return value;
    throw this.wrong(key, 'a positive number');
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.#value(key, fallback);
    if (typeof value === 'boolean') return value;
    throw this.wrong(key, 'true or false');
  }

  /** The meaning of one of the allowed words. Throws UnsupportedError for another word. */
  choice<Meaning>(key: string, allowed: Readonly<Record<string, Meaning>>, fallback: string): Meaning {
    const value = this.#value(key, fallback);
    if (typeof value !== 'string') throw this.wrong(key, 'a word');
    if (Object.hasOwn(allowed, value)) return allowed[value] as Meaning;
    throw this.unsupported(key, `supported are ${Object.keys(allowed).map(quoted).join(', ')}`);
  }

  /** A list of `length` switches, as numbers or words of JSON; undefined when it is absent. */
  flags(key: string, length: number): readonly boolean[] | undefined {
    if (!this.has(key)) return undefined;
    return this.#list(key, length, 'zeros and ones').map((value, index) => {
      if (value === 0 || value === 1 || typeof value === 'boolean') return Boolean(value);
      throw this.wrong(`${key}[${index}]`, '0 or 1', value);
    });
  }

  /** An object inside this one; undefined when it is absent. */
  object(key: string): ConfigFields | undefined {
    const value = this.#at(key) ?? undefined;
    if (value === undefined) return undefined;
    if (typeof value === 'object' && !Array.isArray(value)) return new ConfigFields(value as Raw, this.name(key));
    throw this.wrong(key, 'an object');
  }

  /** A list of `length` objects. */
  objects(key: string, length: number): ConfigFields[] {
    return this.#list(key, length, 'objects').map((value, index) => {
      if (typeof value === 'object' && value !== null && !Array.isArray(value))
        return new ConfigFields(value as Raw, `${this.name(key)}[${index}]`);
      throw this.wrong(`${key}[${index}]`, 'an object', value);
    });
  }

  positives(key: string, length: number): readonly number[] {
    return this.#list(key, length, 'positive numbers').map((value, index) => {
      if (isPositive(value)) return value;
      throw this.wrong(`${key}[${index}]`, 'a positive number', value);
    });
  }

  /** A list of `length` of the allowed words; undefined when it is absent. */
  choices<Meaning>(
    key: string,
    length: number,
    allowed: Readonly<Record<string, Meaning>>,
  ): readonly Meaning[] | undefined {
    if (!this.has(key)) return undefined;
    return this.#list(key, length, 'words').map((value, index) => {
      if (typeof value === 'string' && Object.hasOwn(allowed, value)) return allowed[value] as Meaning;
      throw this.unsupported(`${key}[${index}]`, `supported are ${Object.keys(allowed).map(quoted).join(', ')}`, value);
    });
  }

  /** Token ids: one, several or none. */
  tokenIds(key: string): readonly number[] {
    const value = this.#at(key) ?? [];
    return (Array.isArray(value) ? value : [value]).map((id: unknown) => {
      if (typeof id === 'number' && Number.isSafeInteger(id) && id >= 0) return id;
      throw this.wrong(key, 'a token id (a whole number from 0) or a list of them');
    });
  }

  /** A list of whole numbers from 0; undefined when it is absent. */
  indices(key: string): readonly number[] | undefined {
    return this.has(key) ? this.tokenIds(key) : undefined;
  }

  /** The same fields with other values for some. */
  with(values: Raw): ConfigFields {
    return new ConfigFields({ ...this.#raw, ...values }, this.#path);
  }

  /** Throws UnsupportedError for a key that is not computed (`checkKeys`). */
  check(rules: KeyRules): void {
    checkKeys(this.#raw, rules, this.#path === '' ? '' : `${this.#path}.`);
  }

  /** For a value that is right in itself but not computed. */
  unsupported(key: string, reason: string, value: unknown = this.#at(key)): UnsupportedError {
    return new UnsupportedError(
      `config.json: ${this.name(key)} is ${quoted(value)}; ${reason}. Choose a model without it.`,
    );
  }

  /** For a value that cannot be right. */
  wrong(key: string, wanted: string, value: unknown = this.#at(key)): FileFormatError {
    return new FileFormatError(`config.json: ${this.name(key)} is ${quoted(value)}; it must be ${wanted}. ${REMEDY}`);
  }

  name(key: string): string {
    const own = this.#aliases[key] ?? key;
    return this.#path === '' ? own : `${this.#path}.${own}`;
  }

  #at(key: string): unknown {
    return this.#raw[this.#aliases[key] ?? key];
  }

  #value(key: string, fallback: unknown): unknown {
    const value = this.#at(key) ?? fallback;
    if (value === undefined)
      throw new FileFormatError(
        `config.json has no ${this.name(key)}, which this model's config must state. ${REMEDY}`,
      );
    return value;
  }

  #list(key: string, length: number, kind: string): readonly unknown[] {
    const value = this.#at(key);
    if (Array.isArray(value) && value.length === length) return value;
    const found = Array.isArray(value) ? `a list of ${value.length}` : quoted(value);
    throw new FileFormatError(
      `config.json: ${this.name(key)} is ${found}; it must be a list of ${length} ${kind}. ${REMEDY}`,
    );
  }
}

function isPositive(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0;
}

/** A value as JSON, short enough for a sentence. */
function quoted(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'absent');
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
