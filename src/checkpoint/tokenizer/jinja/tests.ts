import { contains } from './operators.ts';
import {
  compare,
  equals,
  Float,
  numeric,
  TemplateError,
  TemplateLackError,
  Tuple,
  typeName,
  type Value,
} from './values.ts';

type Test = (value: Value, argument: Value) => boolean;

/** Jinja's tests, `value is NAME`. */
const TESTS: Readonly<Record<string, Test>> = {
  defined: (value) => value !== undefined,
  undefined: (value) => value === undefined,
  none: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  true: (value) => value === true,
  false: (value) => value === false,
  string: (value) => typeof value === 'string',
  number: (value) => numeric(value) !== undefined,
  integer: (value) => typeof value === 'number',
  float: (value) => value instanceof Float,
  mapping: (value) => value instanceof Map,
  sequence: hasItems,
  iterable: hasItems,
  // Python's Undefined has a __call__ and a __len__, though both raise.
  callable: (value) => value === undefined || typeof value === 'function',
  odd: (value) => whole(value) % 2 !== 0,
  even: (value) => whole(value) % 2 === 0,
  divisibleby: (value, argument) => whole(value) % whole(argument) === 0,
  lower: (value) => typeof value === 'string' && value === value.toLowerCase() && value !== value.toUpperCase(),
  upper: (value) => typeof value === 'string' && value === value.toUpperCase() && value !== value.toLowerCase(),
  in: (value, argument) => contains(argument, value),
  sameas: (value, argument) => value === argument,
  eq: equals,
  ne: (value, argument) => !equals(value, argument),
  lt: (value, argument) => compare(value, argument) < 0,
  le: (value, argument) => compare(value, argument) <= 0,
  gt: (value, argument) => compare(value, argument) > 0,
  ge: (value, argument) => compare(value, argument) >= 0,
};

const ALIASES: Readonly<Record<string, string>> = {
  equalto: 'eq',
  '==': 'eq',
  '!=': 'ne',
  '<': 'lt',
  lessthan: 'lt',
  '<=': 'le',
  '>': 'gt',
  greaterthan: 'gt',
  '>=': 'ge',
};

/** The test of that name. Throws TemplateLackError where this engine has none. */
export function testNamed(name: string): Test {
  const known = ALIASES[name] ?? name;
  const test = Object.hasOwn(TESTS, known) ? TESTS[known] : undefined;
  if (!test) throw new TemplateLackError(`the test "${name}"`);
  return test;
}

function hasItems(value: Value): boolean {
  return (
    value === undefined ||
    typeof value === 'string' ||
    Array.isArray(value) ||
    value instanceof Tuple ||
    value instanceof Map
  );
}

function whole(value: Value): number {
  const number = numeric(value);
  if (number === undefined) throw new TemplateError(`'${typeName(value)}' is not a number`);
  return number;
}
