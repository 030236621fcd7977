import type { Budget } from './budget.ts';
import { str } from './text.ts';
import {
  type Arguments,
  isTrue,
  itemsOf,
  TemplateError,
  TemplateLackError,
  Tuple,
  text,
  typeName,
  type Value,
  wholeNumber,
} from './values.ts';

/** What Python's `str.isspace` takes for white space. */
const SPACE = '\\t-\\r\\x1c-\\x1f \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const SPACE_AT_START = new RegExp(`^[${SPACE}]+`);
const SPACES = new RegExp(`[${SPACE}]+`, 'g');
const LINE_ENDS = '\\n\\r\\v\\f\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_END = new RegExp(`\\r\\n|[${LINE_ENDS}]`);

type Method = (self: string, args: readonly Value[], named: ReadonlyMap<string, Value>, budget: Budget) => Value;

/** The methods of Python's `str`, in characters as Python counts them. */
const METHODS: Readonly<Record<string, Method>> = {
  upper: (self) => self.toUpperCase(),
  lower: (self) => self.toLowerCase(),
  casefold: (self) => self.toLowerCase().replaceAll('ß', 'ss'),
  capitalize,
  title: (self) => self.replace(/\p{L}+/gu, (word) => capitalize(word)),
  swapcase: (self) => [...self].map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join(''),
  strip: (self, [characters]) => strip(self, characters, true, true),
  lstrip: (self, [characters]) => strip(self, characters, true, false),
  rstrip: (self, [characters]) => strip(self, characters, false, true),
  startswith: (self, [wanted, start, end]) => ends(part(self, start, end), wanted, (a, b) => a.startsWith(b)),
  endswith: (self, [wanted, start, end]) => ends(part(self, start, end), wanted, (a, b) => a.endsWith(b)),
  removeprefix: (self, [prefix]) => (self.startsWith(text(prefix)) ? self.slice(text(prefix).length) : self),
  removesuffix: (self, [suffix]) =>
    text(suffix) !== '' && self.endsWith(text(suffix)) ? self.slice(0, -text(suffix).length) : self,
  find: (self, [wanted, start, end]) => find(self, text(wanted), start, end, false),
  rfind: (self, [wanted, start, end]) => find(self, text(wanted), start, end, true),
  index: (self, [wanted, start, end]) => found(find(self, text(wanted), start, end, false)),
  rindex: (self, [wanted, start, end]) => found(find(self, text(wanted), start, end, true)),
  count: (self, [wanted, start, end]) => {
    const within = part(self, start, end);
    return wanted === '' ? [...within].length + 1 : within.split(text(wanted)).length - 1;
  },
  split: (self, [separator, most], named) =>
    split(self, separator ?? named.get('sep'), wholeNumber(most ?? named.get('maxsplit'), -1)),
  rsplit: (self, [separator, most], named) =>
    rsplit(self, separator ?? named.get('sep'), wholeNumber(most ?? named.get('maxsplit'), -1)),
  splitlines: (self, [keep], named) => splitLines(self, isTrue(keep ?? named.get('keepends'))),
  partition: (self, [separator]) => partition(self, self.indexOf(text(separator)), text(separator), [self, '', '']),
  rpartition: (self, [separator]) =>
    partition(self, self.lastIndexOf(text(separator)), text(separator), ['', '', self]),
  replace: (self, [old, replacement, count], named, budget) =>
    replace(self, text(old), text(replacement), wholeNumber(count ?? named.get('count'), -1), budget),
  join: (self, [items], _, budget) =>
    join(
      itemsOf(items).map((item) => text(item)),
      self,
      budget,
    ),
  center: (self, [width, fill], _, budget) => {
    const room = padding(self, width, budget);
    const left = Math.floor(room / 2) + (room & wholeNumber(width, 0) & 1);
    return text(fill, ' ').repeat(left) + self + text(fill, ' ').repeat(room - left);
  },
  ljust: (self, [width, fill], _, budget) => self + text(fill, ' ').repeat(padding(self, width, budget)),
  rjust: (self, [width, fill], _, budget) => text(fill, ' ').repeat(padding(self, width, budget)) + self,
  zfill: (self, [width], _, budget) =>
    self.replace(/^[+-]?/, (sign) => sign + '0'.repeat(padding(self, width, budget))),
  format: (self, args, named) => format(self, args, named),
  isspace: (self) => self !== '' && strip(self, undefined, true, false) === '',
  isalpha: (self) => /^\p{L}+$/u.test(self),
  isalnum: (self) => /^[\p{L}\p{N}]+$/u.test(self),
  isdigit: (self) => /^[\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨]+$/u.test(self),
  isdecimal: (self) => /^\p{Nd}+$/u.test(self),
  isnumeric: (self) => /^\p{N}+$/u.test(self),
  isupper: (self) => self === self.toUpperCase() && self !== self.toLowerCase(),
  islower: (self) => self === self.toLowerCase() && self !== self.toUpperCase(),
  istitle: (self) => /\p{L}/u.test(self) && self === self.replace(/\p{L}+/gu, (word) => capitalize(word)),
  isascii: (self) => [...self].every((character) => (character.codePointAt(0) ?? 0) < 128),
  isidentifier: (self) => /^[\p{ID_Start}_]\p{ID_Continue}*$/u.test(self),
};

/** Calls a method of a string. Throws TemplateLackError for one that Python's `str` has and this engine has not, TemplateError as Python raises. */
export function stringMethod(name: string): ((self: string, args: Arguments, budget: Budget) => Value) | undefined {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  if (method) return (self, { positional, named }, budget) => method(self, positional, named, budget);
  if (!/^(encode|expandtabs|format_map|isprintable|maketrans|translate)$/.test(name)) return undefined;
  return () => {
    throw new TemplateLackError(`the string method ${name}()`);
  };
}

/** Letters that begin a word otherwise than they are written in capitals. */
const TITLE_CASE: Readonly<Record<string, string>> = {
  ǆ: 'ǅ',
  Ǆ: 'ǅ',
  ǉ: 'ǈ',
  Ǉ: 'ǈ',
  ǌ: 'ǋ',
  Ǌ: 'ǋ',
  ǳ: 'ǲ',
  Ǳ: 'ǲ',
  ß: 'Ss',
};

export function capitalize(self: string): string {
  const [first = '', ...rest] = self;
  return (TITLE_CASE[first] ?? first.toUpperCase()) + rest.join('').toLowerCase();
}

/** Removes the given characters from the ends, white space where none are given. */
export function strip(self: string, characters: Value, left: boolean, right: boolean): string {
  if (characters === undefined || characters === null) {
    const start = left ? (SPACE_AT_START.exec(self)?.[0].length ?? 0) : 0;
    let end = self.length;
    while (right && end > start && SPACE_AT_START.test(self[end - 1] ?? '')) end -= 1;
    return self.slice(start, end);
  }
  const set = new Set(text(characters));
  const points = [...self];
  let start = 0;
  while (left && start < points.length && set.has(points[start] ?? '')) start += 1;
  let end = points.length;
  while (right && end > start && set.has(points[end - 1] ?? '')) end -= 1;
  return points.slice(start, end).join('');
}

/** Lines without their ends, as `str.splitlines` makes them: a text that ends with a line end has no empty last line. */
export function splitLines(self: string, keep = false): string[] {
  const lines: string[] = [];
  for (let rest = self; rest !== ''; ) {
    const match = LINE_END.exec(rest);
    if (!match) {
      lines.push(rest);
      break;
    }
    const end = match.index + match[0].length;
    lines.push(rest.slice(0, keep ? end : match.index));
    rest = rest.slice(end);
  }
  return lines;
}

export function replace(self: string, old: string, replacement: string, count: number, budget: Budget): string {
  const pieces = old === '' ? ['', ...self, ''] : self.split(old);
  const times = count < 0 ? pieces.length - 1 : Math.min(count, pieces.length - 1);
  budget.length(self.length + times * (replacement.length - old.length));
  return (
    pieces.slice(0, times + 1).join(replacement) +
    pieces
      .slice(times + 1)
      .map((piece) => old + piece)
      .join('')
  );
}

export function join(parts: readonly string[], separator: string, budget: Budget): string {
  budget.length(parts.reduce((length, part) => length + part.length + separator.length, 0));
  return parts.join(separator);
}

function padding(self: string, width: Value, budget: Budget): number {
  const room = Math.max(0, wholeNumber(width, 0) - [...self].length);
  budget.length(self.length + room);
  return room;
}

/** The part of a text between two places, which may count from the end. */
function part(self: string, start: Value, end: Value): string {
  if ((start ?? null) === null && (end ?? null) === null) return self;
  return [...self]
    .slice(wholeNumber(start ?? undefined, 0), (end ?? null) === null ? undefined : wholeNumber(end, 0))
    .join('');
}

function ends(self: string, wanted: Value, test: (self: string, wanted: string) => boolean): boolean {
  if (wanted instanceof Tuple) return wanted.items.some((each) => test(self, text(each)));
  if (typeof wanted === 'string') return test(self, wanted);
  throw new TemplateError(`first arg must be str or a tuple of str, not ${typeName(wanted)}`);
}

function find(self: string, wanted: string, start: Value, end: Value, last: boolean): number {
  const within = part(self, start, end);
  const place = last ? within.lastIndexOf(wanted) : within.indexOf(wanted);
  if (place < 0) return -1;
  const from = wholeNumber(start ?? undefined, 0);
  const length = [...self].length;
  return [...within.slice(0, place)].length + (from < 0 ? Math.max(0, length + from) : from);
}

function found(place: number): number {
  if (place < 0) throw new TemplateError('substring not found');
  return place;
}

function split(self: string, separator: Value, most: number): string[] {
  if (separator === undefined || separator === null) {
    const words: string[] = [];
    let rest = strip(self, undefined, true, false);
    while (rest !== '') {
      if (most >= 0 && words.length >= most) return [...words, strip(rest, undefined, true, false)];
      SPACES.lastIndex = 0;
      const gap = SPACES.exec(rest);
      words.push(gap ? rest.slice(0, gap.index) : rest);
      rest = gap ? rest.slice(gap.index + gap[0].length) : '';
    }
    return words;
  }
  const pieces = self.split(separatorOf(separator));
  return most < 0 || pieces.length <= most + 1
    ? pieces
    : [...pieces.slice(0, most), pieces.slice(most).join(text(separator))];
}

function rsplit(self: string, separator: Value, most: number): string[] {
  if (separator === undefined || separator === null) {
    const reversed = (value: string) => [...value].reverse().join('');
    return split(reversed(self), undefined, most).map(reversed).reverse();
  }
  const pieces = self.split(separatorOf(separator));
  const kept = most < 0 ? 0 : pieces.length - 1 - most;
  return kept <= 0 ? pieces : [pieces.slice(0, kept + 1).join(text(separator)), ...pieces.slice(kept + 1)];
}

function separatorOf(separator: Value): string {
  if (text(separator) === '') throw new TemplateError('empty separator');
  return text(separator);
}

function partition(self: string, place: number, separator: string, otherwise: readonly Value[]): Tuple {
  if (separator === '') throw new TemplateError('empty separator');
  if (place < 0) return new Tuple(otherwise);
  return new Tuple([self.slice(0, place), separator, self.slice(place + separator.length)]);
}

/** `'{} {name}'.format(…)` with plain fields. */
function format(self: string, args: readonly Value[], named: ReadonlyMap<string, Value>): string {
  let next = 0;
  return self.replace(/\{\{|\}\}|\{([^{}]*)\}/g, (whole, name: string | undefined) => {
    if (name === undefined) return whole[0] ?? '';
    if (!/^\w*$/.test(name)) throw new TemplateLackError(`the format field {${name}}`);
    if (!/^\d*$/.test(name)) return str(named.get(name));
    const index = name === '' ? next++ : Number(name);
    if (index >= args.length) throw new TemplateError('Replacement index out of range for positional args tuple');
    return str(args[index]);
  });
}
