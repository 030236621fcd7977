import { isRecord } from '../checkpoint/files/json.ts';

/** What the values of a field look like, for whoever asks a person for one. */
export type Shape =
  | { readonly type: 'text' }
  | { readonly type: 'choice'; readonly values: readonly string[] }
  | { readonly type: 'whole'; readonly least: number }
  | { readonly type: 'number'; readonly least: number; readonly most: number }
  | { readonly type: 'layers' }
  | { readonly type: 'record' };

/** Throws the sentence that a field is not what it must be. */
export type Refuse = (path: string, value: unknown, expected: string) => never;

/** The values that a field may have. */
export interface Kind<Value> {
  readonly shape: Shape;
  /** The value when it is one of them, with unknown fields of records left out; else what `refuse` throws. */
  read(value: unknown, path: string, refuse: Refuse): Value;
}

/** The longest list of layers that is read: a link may say anything. */
const MOST_LAYERS = 1024;
/** Room for every metric with a weight. */
const LONGEST_NAME = 1000;

export const TEXT = simple<string>({ type: 'text' }, 'text', (value) => typeof value === 'string');

/** The name of a metric, a search. */
export const NAME = simple<string>(
  { type: 'text' },
  `text of at most ${LONGEST_NAME} characters`,
  (value) => typeof value === 'string' && value.length <= LONGEST_NAME,
);

export const NUMBER = simple<number>(
  { type: 'number', least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY },
  'a finite number',
  Number.isFinite,
);

/** Finite numbers from `least` to `most`. */
export function number(least: number, most = Number.POSITIVE_INFINITY): Kind<number> {
  return simple(
    { type: 'number', least, most },
    most === Number.POSITIVE_INFINITY ? `a number, ${least} or more` : `a number from ${least} to ${most}`,
    (value) => Number.isFinite(value) && (value as number) >= least && (value as number) <= most,
  );
}

/** Finite numbers above zero. */
export const POSITIVE = simple<number>(
  { type: 'number', least: Number.MIN_VALUE, most: Number.POSITIVE_INFINITY },
  'above 0',
  (value) => Number.isFinite(value) && (value as number) > 0,
);

/** Whole numbers of at least `least`. */
export function whole(least: number): Kind<number> {
  return simple(
    { type: 'whole', least },
    `a whole number, ${least} or more`,
    (value) => Number.isSafeInteger(value) && (value as number) >= least,
  );
}

export const LAYERS = simple<readonly number[]>(
  { type: 'layers' },
  'a list of layers',
  (value) =>
    Array.isArray(value) &&
    value.length <= MOST_LAYERS &&
    value.every((layer) => Number.isSafeInteger(layer) && layer >= 0),
);

export function oneOf<const Word extends string>(...values: readonly Word[]): Kind<Word> {
  return simple({ type: 'choice', values }, values.map((value) => `"${value}"`).join(' or '), (value) =>
    values.some((known) => known === value),
  );
}

function simple<Value>(shape: Shape, expected: string, test: (value: unknown) => boolean): Kind<Value> {
  return { shape, read: (value, path, refuse) => (test(value) ? (value as Value) : refuse(path, value, expected)) };
}

/** A field of a record: what it holds, and whether the record may lack it. */
export interface Member<Value = unknown, IsRequired extends boolean = boolean> {
  readonly kind: Kind<Value>;
  readonly isRequired: IsRequired;
}

export const required = <Value>(kind: Kind<Value>): Member<Value, true> => ({ kind, isRequired: true });
export const optional = <Value>(kind: Kind<Value>): Member<Value, false> => ({ kind, isRequired: false });

type Members = Readonly<Record<string, Member>>;

type ValueOf<Field> = Field extends { readonly kind: Kind<infer Value> } ? Value : never;

type RequiredOf<Fields> = {
  readonly [Name in keyof Fields as Fields[Name] extends { readonly isRequired: true } ? Name : never]: ValueOf<
    Fields[Name]
  >;
};

type OptionalOf<Fields> = {
  readonly [Name in keyof Fields as Fields[Name] extends { readonly isRequired: true } ? never : Name]?: ValueOf<
    Fields[Name]
  >;
};

/** The record that a table of fields describes. */
export type RecordOf<Fields> = RequiredOf<Fields> & OptionalOf<Fields>;

/** Reads the fields of a table from a record, in the table's order, so that equal records have equal JSON. What the table does not name is left out. */
export function readFields<Fields extends Members>(
  fields: Fields,
  value: Readonly<Record<string, unknown>>,
  path: string,
  refuse: Refuse,
): RecordOf<Fields> {
  const found: [string, unknown][] = [];
  for (const [name, { kind, isRequired }] of Object.entries(fields)) {
    const own = Object.hasOwn(value, name) ? value[name] : undefined;
    if (own !== undefined || isRequired)
      found.push([name, kind.read(own, path === '' ? name : `${path}.${name}`, refuse)]);
  }
  return Object.fromEntries(found) as unknown as RecordOf<Fields>;
}

/** A record of fields. */
export function record<const Fields extends Members>(fields: Fields): Kind<RecordOf<Fields>> {
  return {
    shape: { type: 'record' },
    read: (value, path, refuse) =>
      readFields(fields, isRecord(value) ? value : refuse(path, value, 'an object'), path, refuse),
  };
}
