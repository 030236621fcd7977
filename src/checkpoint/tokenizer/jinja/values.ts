import { WholeFloat } from '../../files/json.ts';

/** A number that Python has as `float`; whole numbers are JavaScript's. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What `namespace()` makes: the one thing of a template that can be changed. */
export class Namespace {
  readonly fields: Map<string, Value>;
  constructor(fields: Map<string, Value>) {
    this.fields = fields;
  }
}

/** A list that prints with parentheses. */
export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export type Callable = (args: Arguments) => Value;
export type Dictionary = Map<string | number, Value>;
/** A value of a template. `undefined` is Jinja's undefined, `null` Python's None. */
export type Value =
  | string
  | number
  | boolean
  | null
  | undefined
  | Float
  | Tuple
  | Namespace
  | Callable
  | Value[]
  | Dictionary;

/** What Python would raise: the template does not fit what it was given. */
export class TemplateError extends Error {}
/** Something of Jinja or Python that this engine does not have. */
export class TemplateLackError extends Error {}
/** A template that asks for more than any conversation needs. */
export class TemplateLimitError extends Error {}

/** Plain data as a value. */
export function fromData(data: unknown): Value {
  if (data === null || typeof data === 'string' || typeof data === 'boolean') return data;
  if (typeof data === 'number') return Number.isInteger(data) ? data : new Float(data);
  if (data instanceof WholeFloat) return new Float(data.value);
  if (Array.isArray(data)) return (data as unknown[]).map(fromData);
  if (typeof data === 'object') return new Map(Object.entries(data).map(([key, value]) => [key, fromData(value)]));
  return undefined;
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (value === undefined) return 'Undefined';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (value instanceof Float) return 'float';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Namespace) return 'Namespace';
  if (Array.isArray(value)) return 'list';
  return value instanceof Map ? 'dict' : 'function';
}

export function isTrue(value: Value): boolean {
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  return Boolean(value);
}

/** The number that a value is for arithmetic; undefined where it is none. */
export function numeric(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

/** The whole number that an argument is; `otherwise` where it is left out. Throws TemplateError for another type. */
export function wholeNumber(value: Value, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new TemplateError(`'${typeName(value)}' object cannot be interpreted as an integer`);
}

/** The text that an argument is; `otherwise` where it is left out. Throws TemplateError for another type. */
export function text(value: Value, otherwise?: string): string {
  if (typeof value === 'string') return value;
  if (value === undefined && otherwise !== undefined) return otherwise;
  throw new TemplateError(`must be str, not ${typeName(value)}`);
}

/** The items of a list, tuple, string or dictionary's keys; undefined has none. Throws TemplateError for what cannot be iterated. */
export function itemsOf(value: Value): readonly Value[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (typeof value === 'string') return [...value];
  if (value instanceof Map) return [...value.keys()];
  throw new TemplateError(`'${typeName(value)}' object is not iterable`);
}

/** Number of items, of a string characters. Throws TemplateError where there is none. */
export function lengthOf(value: Value): number {
  if (value instanceof Map) return value.size;
  return itemsOf(value).length;
}

/** As Python compares: lists and dictionaries by what they hold, whole numbers with floats and truth values. */
export function equals(a: Value, b: Value): boolean {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) return left === right;
  if (Array.isArray(a) && Array.isArray(b)) return sameItems(a, b);
  if (a instanceof Tuple && b instanceof Tuple) return sameItems(a.items, b.items);
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && equals(value, b.get(key)));
  return a === b;
}

function sameItems(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, index) => equals(item, b[index]));
}

/** Negative, zero or positive. Throws TemplateError where Python has no order. */
export function compare(a: Value, b: Value): number {
  const [left, right] = [numeric(a), numeric(b)];
  if (left !== undefined && right !== undefined) return left - right;
  if (typeof a === 'string' && typeof b === 'string') return comparePoints(a, b);
  const [first, second] = [sequence(a), sequence(b)];
  if (first && second && typeName(a) === typeName(b)) {
    for (const [index, item] of first.entries()) {
      if (index >= second.length) return 1;
      if (!equals(item, second[index])) return compare(item, second[index]);
    }
    return first.length - second.length;
  }
  throw new TemplateError(`'<' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

function sequence(value: Value): readonly Value[] | undefined {
  return Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
}

/** By code points: UTF-16 orders characters beyond the first plane before some of it. */
function comparePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (const [index, character] of left.entries()) {
    const difference = (character.codePointAt(0) ?? 0) - (right[index]?.codePointAt(0) ?? -1);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
