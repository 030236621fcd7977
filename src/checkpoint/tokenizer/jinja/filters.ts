import { path } from './access.ts';
import type { Budget } from './budget.ts';
import { percentFormat } from './operators.ts';
import { capitalize, join, replace, splitLines, stringMethod, strip } from './string-methods.ts';
import { testNamed } from './tests.ts';
import { json, str } from './text.ts';
import {
  type Arguments,
  compare,
  type Dictionary,
  equals,
  Float,
  isTrue,
  itemsOf,
  lengthOf,
  numeric,
  TemplateError,
  TemplateLackError,
  Tuple,
  text,
  typeName,
  type Value,
  wholeNumber,
} from './values.ts';

type Filter = (value: Value, args: Arguments, budget: Budget) => Value;

/** An argument by place or by name. */
const argument = ({ positional, named }: Arguments, place: number, name: string): Value =>
  positional[place] ?? named.get(name);

/** Jinja's filters; `tojson` is the one that transformers puts in its place. */
const FILTERS: Readonly<Record<string, Filter>> = {
  abs: (value) => (value instanceof Float ? new Float(Math.abs(value.value)) : Math.abs(wholeNumber(value, 0))),
  // A dictionary's entries are no attributes.
  attr: (value, args, budget) =>
    value instanceof Map && value.has(text(argument(args, 0, 'name')))
      ? undefined
      : path(value, argument(args, 0, 'name'), budget),
  batch: (value, args) =>
    batch(itemsOf(value), wholeNumber(argument(args, 0, 'linecount'), 1), argument(args, 1, 'fill_with')),
  capitalize: (value) => capitalize(str(value)),
  center: (value, args, budget) =>
    stringMethod('center')?.(str(value), { ...args, positional: [argument(args, 0, 'width') ?? 80] }, budget),
  default: (value, args) =>
    value === undefined || (isTrue(argument(args, 1, 'boolean')) && !isTrue(value))
      ? (argument(args, 0, 'default_value') ?? '')
      : value,
  dictsort: dictionarySort,
  escape: (value) =>
    str(value)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&#34;')
      .replaceAll("'", '&#39;'),
  first: (value) => itemsOf(value)[0],
  float: (value, args) => toFloat(value) ?? argument(args, 0, 'default') ?? new Float(0),
  format: (value, { positional, named }, budget) =>
    percentFormat(text(value), positional.length > 0 ? positional : [new Map(named)], budget),
  groupby: groupBy,
  indent,
  int: (value, args) => toInt(value, wholeNumber(argument(args, 1, 'base'), 10)) ?? argument(args, 0, 'default') ?? 0,
  items: (value) => (value instanceof Map ? [...value].map((entry) => new Tuple(entry)) : refuse(value, 'items')),
  join: (value, args, budget) => {
    const name = argument(args, 1, 'attribute');
    const items = itemsOf(value).map((item) => str(name === undefined ? item : path(item, name, budget)));
    return join(items, str(argument(args, 0, 'd') ?? ''), budget);
  },
  last: (value) => itemsOf(value).at(-1),
  length: (value) => lengthOf(value),
  list: (value) => [...itemsOf(value)],
  lower: (value) => str(value).toLowerCase(),
  map: mapped,
  max: (value, args, budget) => extreme(value, args, budget, 1),
  min: (value, args, budget) => extreme(value, args, budget, -1),
  reject: (value, args) => itemsOf(value).filter((item) => !passes(item, args.positional)),
  rejectattr: (value, args, budget) => byAttribute(value, args, budget, false),
  replace: (value, { positional: [old, replacement, count] }, budget) =>
    replace(str(value), str(old), str(replacement), wholeNumber(count ?? undefined, -1), budget),
  reverse: (value) => (typeof value === 'string' ? [...value].reverse().join('') : [...itemsOf(value)].reverse()),
  round: (value, args) => {
    const number = numeric(value) ?? refuse(value, 'round');
    const scale = 10 ** wholeNumber(argument(args, 0, 'precision'), 0);
    const method = argument(args, 1, 'method') ?? 'common';
    const rounded =
      method === 'ceil'
        ? Math.ceil(number * scale)
        : method === 'floor'
          ? Math.floor(number * scale)
          : halfEven(number * scale);
    return new Float(rounded / scale);
  },
  safe: (value) => str(value),
  select: (value, args) => itemsOf(value).filter((item) => passes(item, args.positional)),
  selectattr: (value, args, budget) => byAttribute(value, args, budget, true),
  sort: (value, args, budget) => {
    const name = argument(args, 2, 'attribute');
    const key = sortKey(isTrue(argument(args, 1, 'case_sensitive')), (item) =>
      name === undefined ? item : path(item, name, budget),
    );
    const direction = isTrue(argument(args, 0, 'reverse')) ? -1 : 1;
    return [...itemsOf(value)].sort((a, b) => direction * compare(key(a), key(b)));
  },
  string: (value) => str(value),
  sum: (value, args, budget) => {
    const name = argument(args, 0, 'attribute');
    const numbers = [
      argument(args, 1, 'start') ?? 0,
      ...itemsOf(value).map((item) => (name === undefined ? item : path(item, name, budget))),
    ];
    const total = numbers.reduce<number>((sum, each) => sum + (numeric(each) ?? refuse(each, 'sum')), 0);
    return numbers.some((each) => each instanceof Float) ? new Float(total) : total;
  },
  title: (value) =>
    str(value).replace(
      /[^-\s({[<]+/g,
      (word) => `${[...word][0]?.toUpperCase()}${[...word].slice(1).join('').toLowerCase()}`,
    ),
  tojson: toJson,
  trim: (value, args) => strip(str(value), argument(args, 0, 'chars'), true, true),
  truncate,
  unique: (value, args) => {
    const seen: Value[] = [];
    const key = sortKey(isTrue(argument(args, 0, 'case_sensitive')), (item) => item);
    return itemsOf(value).filter((item) => {
      if (seen.some((each) => equals(each, key(item)))) return false;
      seen.push(key(item));
      return true;
    });
  },
  upper: (value) => str(value).toUpperCase(),
  wordcount: (value) => str(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0,
};

const ALIASES: Readonly<Record<string, string>> = { count: 'length', d: 'default', e: 'escape' };

/** The filter of that name. Throws TemplateLackError where this engine has none. */
export function filterNamed(name: string): Filter {
  const known = ALIASES[name] ?? name;
  const filter = Object.hasOwn(FILTERS, known) ? FILTERS[known] : undefined;
  if (!filter) throw new TemplateLackError(`the filter "${name}"`);
  return filter;
}

function refuse(value: Value, filter: string): never {
  throw new TemplateError(`the filter ${filter} cannot take a value of type '${typeName(value)}'`);
}

function indent(value: Value, args: Arguments, budget: Budget): Value {
  const width = argument(args, 0, 'width') ?? 4;
  if (typeof width !== 'string') budget.length(wholeNumber(width, 4));
  const indention = typeof width === 'string' ? width : ' '.repeat(Math.max(0, wholeNumber(width, 4)));
  const lines = splitLines(`${str(value)}\n`);
  budget.length(str(value).length + lines.length * indention.length);
  const blank = isTrue(argument(args, 2, 'blank'));
  const [first = '', ...rest] = lines;
  const indented = [first, ...rest.map((line) => (line !== '' || blank ? indention + line : line))].join('\n');
  return isTrue(argument(args, 1, 'first')) ? indention + indented : indented;
}

function toJson(value: Value, args: Arguments): Value {
  const width = argument(args, 1, 'indent') ?? null;
  const separators = argument(args, 2, 'separators') ?? null;
  const [item, key] =
    separators === null ? [width === null ? ', ' : ',', ': '] : itemsOf(separators).map((each) => text(each));
  return json(value, {
    ensureAscii: isTrue(argument(args, 0, 'ensure_ascii')),
    indent:
      width === null ? undefined : typeof width === 'string' ? width : ' '.repeat(Math.min(64, wholeNumber(width, 0))),
    separators: [item ?? ', ', key ?? ': '],
    sortKeys: isTrue(argument(args, 3, 'sort_keys')),
  });
}

function toInt(value: Value, base: number): number | undefined {
  const number = numeric(value);
  if (number !== undefined) return Math.trunc(number);
  if (typeof value !== 'string') return undefined;
  const trimmed = value.trim();
  if (base === 10 && /^[+-]?\d+$/.test(trimmed)) return Number(trimmed);
  if (base !== 10 && /^[+-]?[0-9a-z]+$/i.test(trimmed)) return Number.parseInt(trimmed, base);
  const float = toFloat(value);
  return float === undefined ? undefined : Math.trunc(float.value);
}

function toFloat(value: Value): Float | undefined {
  const number = numeric(value);
  if (number !== undefined) return new Float(number);
  if (typeof value !== 'string' || !/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value)) return undefined;
  return new Float(Number(value));
}

/** Halves go to the even neighbour. */
function halfEven(number: number): number {
  const floor = Math.floor(number);
  if (number - floor !== 0.5) return Math.round(number);
  return floor % 2 === 0 ? floor : floor + 1;
}

function sortKey(caseSensitive: boolean, of: (item: Value) => Value): (item: Value) => Value {
  return (item) => {
    const value = of(item);
    return typeof value === 'string' && !caseSensitive ? value.toLowerCase() : value;
  };
}

function extreme(value: Value, args: Arguments, budget: Budget, direction: number): Value {
  const name = argument(args, 1, 'attribute');
  const key = sortKey(isTrue(argument(args, 0, 'case_sensitive')), (item) =>
    name === undefined ? item : path(item, name, budget),
  );
  const [first, ...rest] = itemsOf(value);
  return rest.reduce((best, item) => (direction * compare(key(item), key(best)) > 0 ? item : best), first);
}

/** Whether an item passes a test with its argument; without one, whether it is true. */
function passes(item: Value, [test, ...rest]: readonly Value[]): boolean {
  return test === undefined ? isTrue(item) : testNamed(text(test))(item, rest[0]);
}

function byAttribute(value: Value, { positional: [name, ...test] }: Arguments, budget: Budget, keep: boolean): Value {
  return itemsOf(value).filter((item) => passes(path(item, name, budget), test) === keep);
}

function mapped(value: Value, { positional: [filter, ...rest], named }: Arguments, budget: Budget): Value {
  const name = named.get('attribute');
  if (name !== undefined) {
    const otherwise = named.get('default');
    return itemsOf(value).map((item) => path(item, name, budget) ?? otherwise);
  }
  const apply = filterNamed(text(filter));
  return itemsOf(value).map((item) => apply(item, { positional: rest, named }, budget));
}

function dictionarySort(value: Value, args: Arguments): Value {
  if (!(value instanceof Map)) return refuse(value, 'dictsort');
  const place = argument(args, 1, 'by') === 'value' ? 1 : 0;
  const key = sortKey(isTrue(argument(args, 0, 'case_sensitive')), (entry) => itemsOf(entry)[place]);
  const direction = isTrue(argument(args, 2, 'reverse')) ? -1 : 1;
  return [...(value as Dictionary)]
    .map((entry) => new Tuple(entry))
    .sort((a, b) => direction * compare(key(a), key(b)));
}

/** Groups in the order of their keys, each with `grouper` and `list`. */
function groupBy(value: Value, args: Arguments, budget: Budget): Value {
  const name = argument(args, 0, 'attribute');
  const key = sortKey(
    isTrue(argument(args, 2, 'case_sensitive')),
    (item) => path(item, name, budget) ?? argument(args, 1, 'default'),
  );
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of [...itemsOf(value)].sort((a, b) => compare(key(a), key(b)))) {
    const last = groups.at(-1);
    if (last && equals(last.key, key(item))) last.items.push(item);
    else groups.push({ key: key(item), items: [item] });
  }
  return groups.map(({ items }) => new Tuple([path(items[0], name, budget), items]));
}

function batch(items: readonly Value[], size: number, fill: Value): Value {
  if (size < 1) throw new TemplateError('batch takes a line count of at least 1');
  return Array.from({ length: Math.ceil(items.length / size) }, (_, row) => {
    const line = items.slice(row * size, (row + 1) * size);
    return fill === undefined ? line : [...line, ...Array.from({ length: size - line.length }, () => fill)];
  });
}

function truncate(value: Value, args: Arguments): Value {
  const characters = [...str(value)];
  const length = wholeNumber(argument(args, 0, 'length'), 255);
  const end = text(argument(args, 2, 'end'), '...');
  if (characters.length <= length + wholeNumber(argument(args, 3, 'leeway'), 5)) return str(value);
  const cut = characters.slice(0, length - [...end].length).join('');
  return (isTrue(argument(args, 1, 'killwords')) ? cut : cut.replace(/ [^ ]*$/, '')) + end;
}
