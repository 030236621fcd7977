import { isRecord } from '../files/json.ts';

/** A whole number below a limit. */
export type Integers = (limit: number) => number;

/** Numbers that sizes, counts and offsets turn into trouble. */
const TROUBLE = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0xffffn,
  0x7fffffffn,
  0xffffffffn,
  1n << 32n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** A copy of a file with one wound, at most `reach` bytes from its beginning: cut, shortened, doubled, a number or a bit replaced. */
export function damage(bytes: Uint8Array, random: Integers, reach: number): Uint8Array {
  const at = random(Math.min(bytes.length, reach));
  const splice = (middle: Uint8Array, from: number) => {
    const end = bytes.subarray(from);
    const result = new Uint8Array(at + middle.length + end.length);
    result.set(bytes.subarray(0, at));
    result.set(middle, at);
    result.set(end, at + middle.length);
    return result;
  };
  const number = new Uint8Array(BigUint64Array.of(TROUBLE[random(TROUBLE.length)] ?? 0n).buffer);
  switch (random(7)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return splice(new Uint8Array(), at + 1 + random(24));
    case 2:
      return splice(bytes.subarray(at, at + 1 + random(24)), at);
    case 3:
      return splice(number, at + 8);
    case 4:
      return splice(number.subarray(0, 4), at + 4);
    case 5:
      return splice(Uint8Array.of((bytes[at] ?? 0) ^ (1 << random(8))), at + 1);
    default:
      return splice(Uint8Array.of(random(256)), at + 1);
  }
}

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e9,
  2 ** 53,
  1e308,
  '',
  'x',
  '\ud800',
  '(',
  '(a+)+',
  [],
  {},
  [[]],
  { type: 'Sequence' },
  [null],
  'BPE',
  '../x',
  'a\0b',
  '__proto__',
];

/** A copy of a JSON value with one part replaced, removed or doubled. */
export function damageJson(value: unknown, random: Integers): unknown {
  if (random(6) === 0) return VALUES[random(VALUES.length)];
  if (Array.isArray(value) && value.length > 0) {
    const at = random(value.length);
    const copy = [...(value as unknown[])];
    const action = random(6);
    if (action === 0) copy.splice(at, 1);
    else if (action === 1) copy.splice(at, 0, copy[random(copy.length)]);
    else copy[at] = damageJson(copy[at], random);
    return copy;
  }
  if (!isRecord(value)) return VALUES[random(VALUES.length)];
  const keys = Object.keys(value);
  const key = keys[random(keys.length)];
  if (key === undefined) return VALUES[random(VALUES.length)];
  if (random(6) === 0) return Object.fromEntries(Object.entries(value).filter(([each]) => each !== key));
  return { ...value, [key]: damageJson(value[key], random) };
}

/** Pieces of Jinja that ask for much, or end what others began. */
const SNIPPETS = [
  '{% for i in range(1000000000) %}',
  '{% for i in range(4000) %}',
  '{% endfor %}',
  '{% set x = messages + messages %}',
  '{% set x = x ~ x %}',
  '{% set x = [x, x] %}',
  "{% set x = {'a': x, 'b': messages} %}",
  '{% set ns.a = ns %}',
  '{{ x }}',
  '{{ x | tojson(indent=1000000) }}',
  '{{ messages | tojson }}',
  "{{ 'a' | indent(100000000) }}",
  "{{ x | replace('a', x) }}",
  '{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(m) }}',
  '{% if %}',
  '{% endif %}',
  '{{ ((((((((((1)))))))))) }}',
  '{{ messages[99999999999] }}',
  '{{ messages[::-1][0].content[::2] }}',
  "{{ ''.join(messages) }}",
  '{{ raise_exception() }}',
  "{{ strftime_now('%Y') }}",
  '{% generation %}',
  '{{- -}}',
  '{#',
  '}}',
  '%}',
];

/** A copy of a template with a part removed or doubled, or a hostile piece put in. */
export function damageTemplate(source: string, random: Integers): string {
  const at = random(source.length + 1);
  const span = 1 + random(random(4) === 0 ? 200 : 12);
  switch (random(5)) {
    case 0:
      return source.slice(0, at) + source.slice(at + span);
    case 1:
      return source.slice(0, at) + source.slice(at, at + span).repeat(1 + random(40)) + source.slice(at + span);
    default:
      return source.slice(0, at) + SNIPPETS[random(SNIPPETS.length)] + source.slice(at);
  }
}
