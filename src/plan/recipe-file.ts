import { isRecord, type JsonRecord } from '../checkpoint/files/json.ts';
import { FileFormatError } from '../errors.ts';
import type { Recipe, Target } from './plan.ts';

/** What a field must be, for the test and for the sentence. */
interface Domain<T> {
  readonly expected: string;
  readonly test: (value: unknown) => value is T;
}

const TEXT: Domain<string> = { expected: 'text', test: (value) => typeof value === 'string' };
const NUMBER: Domain<number> = {
  expected: 'a finite number',
  test: (value): value is number => typeof value === 'number' && Number.isFinite(value),
};
const COUNT: Domain<number> = {
  expected: 'a whole number, 0 or more',
  test: (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
};
const LAYERS: Domain<readonly number[]> = {
  expected: 'a list of layers',
  test: (value): value is number[] => Array.isArray(value) && value.every(COUNT.test),
};

function oneOf<const T extends string>(...values: readonly T[]): Domain<T> {
  return {
    expected: values.map((value) => `"${value}"`).join(' or '),
    test: (value): value is T => values.some((known) => known === value),
  };
}

/**
 * Checks that `value` (parsed JSON, from plan.json or a link) is a recipe; unknown fields are dropped. Whether its metric and search exist is for the planner to say.
 * Throws FileFormatError naming `file`, the field, the value found and what is expected.
 */
export function parseRecipe(value: unknown, file: string): Recipe {
  if (!isRecord(value)) throw new FileFormatError(`${file}: recipe is missing or not an object.`);
  const read = reader(value, 'recipe', file);
  const model = reader(read.record('model'), 'recipe.model', file);
  const calibration =
    value.calibration === undefined ? undefined : reader(read.record('calibration'), 'recipe.calibration', file);
  const balance = value.balance === undefined ? undefined : reader(read.record('balance'), 'recipe.balance', file);
  const measured = value.measured === undefined ? undefined : reader(read.record('measured'), 'recipe.measured', file);
  return withoutUndefined({
    model: withoutUndefined({
      name: model.required('name', TEXT),
      revision: model.optional('revision', TEXT),
      sha256: model.optional('sha256', TEXT),
    }),
    calibration: calibration && {
      source: calibration.required('source', TEXT),
      sha256: calibration.required('sha256', TEXT),
      windows: calibration.required('windows', COUNT),
      length: calibration.required('length', COUNT),
      seed: calibration.required('seed', COUNT),
    },
    metric: read.required('metric', TEXT),
    fusionScope: read.optional('fusionScope', oneOf('model', 'module', 'layer')),
    fusion: read.optional('fusion', oneOf('shared', 'geometric')),
    search: read.required('search', TEXT),
    target: parseTarget(read.record('target'), file),
    gamma: read.optional('gamma', NUMBER),
    stability: read.optional('stability', NUMBER),
    balance:
      balance &&
      withoutUndefined({ attention: balance.optional('attention', NUMBER), depth: balance.optional('depth', NUMBER) }),
    minimumAttentionGroups: read.optional('minimumAttentionGroups', COUNT),
    minimumNeurons: read.optional('minimumNeurons', COUNT),
    protect: read.optional('protect', LAYERS),
    compensate: read.optional('compensate', oneOf('none', 'bias', 'least-squares')),
    dtype: read.optional('dtype', oneOf('f32', 'f16', 'q8', 'q4')),
    roundTo: read.optional('roundTo', COUNT),
    seed: read.required('seed', COUNT),
    measured: measured && {
      loss: measured.required('loss', NUMBER),
      evaluations: measured.required('evaluations', COUNT),
    },
    passes: read.optional('passes', COUNT),
  });
}

function parseTarget(record: JsonRecord, file: string): Target {
  const read = reader(record, 'recipe.target', file);
  const kind = read.required('kind', oneOf('ratio', 'parameters', 'bytes', 'memory'));
  const value = read.required('value', NUMBER);
  return kind === 'memory' ? { kind, value, context: read.required('context', COUNT) } : { kind, value };
}

function reader(record: JsonRecord, path: string, file: string) {
  const refuse = (key: string, expected: string): never => {
    throw new FileFormatError(
      `${file}: ${path}.${key} is ${JSON.stringify(record[key]) ?? 'missing'}; it must be ${expected}.`,
    );
  };
  return {
    required: <T>(key: string, { test, expected }: Domain<T>): T => {
      const value = record[key];
      return test(value) ? value : refuse(key, expected);
    },
    optional: <T>(key: string, { test, expected }: Domain<T>): T | undefined => {
      const value = record[key];
      return value === undefined || test(value) ? value : refuse(key, expected);
    },
    record: (key: string): JsonRecord => {
      const value = record[key];
      return isRecord(value) ? value : refuse(key, 'an object');
    },
  };
}

/** The record without the keys whose value is undefined, so that equal recipes have equal JSON. */
type WithoutUndefined<T> = {
  [Key in keyof T as undefined extends T[Key] ? Key : never]?: Exclude<T[Key], undefined>;
} & {
  [Key in keyof T as undefined extends T[Key] ? never : Key]: T[Key];
};

function withoutUndefined<T extends object>(record: T): WithoutUndefined<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as WithoutUndefined<T>;
}
