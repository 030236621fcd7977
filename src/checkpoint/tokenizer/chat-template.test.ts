import { Template } from '@huggingface/jinja';
import { describe, expect, test } from 'vitest';
import { EspalierError, UsageError } from '../../errors.ts';
import { chatTemplate } from './chat-template.ts';

const MESSAGES = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi\n  there ' },
] as const;
const thrown = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};
const render = (source: string) =>
  chatTemplate(source, { bos: '<s>', eos: '</s>' })(MESSAGES, { addGenerationPrompt: true });

/** Everything that the globals of a template are made of, as the library renders it by itself. */
const ORDINARY = `{%- set ns = namespace(count=0, seen=[]) -%}
{%- macro turn(message) -%}<|{{ message['role'] }}|>{{ message.content | trim }}{%- endmacro -%}
{%- if true and True and not false and None is none -%}{{ bos_token }}{%- endif -%}
{%- for message in messages -%}
{%- set ns.count = ns.count + 1 -%}{%- set ns.seen = ns.seen + [message.role] -%}
{{ turn(message) }}{{ '\\n' if not loop.last else eos_token }}
{%- endfor -%}
{%- for i in range(3) -%}{{ i }}{%- endfor -%}{%- for i in range(7, 1, -2) -%}{{ i }}{%- endfor -%}{%- for i in range(5, 1) -%}{{ i }}{%- endfor -%}
{{ ns.count }} {{ ns.seen | join(', ') }} {{ messages | tojson(indent=2) }} {{ strftime_now('%%') }}
{%- if add_generation_prompt %}<|assistant|>{% endif -%}`;

test('ordinary templates give what the library gives', () => {
  const expected = new Template(ORDINARY).render({
    messages: MESSAGES,
    add_generation_prompt: true,
    bos_token: '<s>',
    eos_token: '</s>',
  });
  expect(render(ORDINARY)).toBe(expected);
  expect(expected).toContain('<s><|system|>Be brief.\n<|user|>Hi\n  there</s>012753');
});

test('entries of a dictionary are no attributes of it', () => {
  expect(
    render("{{ messages[0]|attr('role') }}|{{ messages[0].role }}|{{ messages[0]|attr('role') is defined }}"),
  ).toBe('|system|False');
});

test('a template speaks to the person through raise_exception', () => {
  expect(() => render("{{ raise_exception('No system message, please.') }}")).toThrow(UsageError);
  expect(() => render("{{ raise_exception('No system message, please.') }}")).toThrow(
    /refuses these messages: No system message, please\.$/,
  );
});

const doubled = (first: string, step: string, times: number) =>
  `{% set x = ${first} %}${`{% set x = ${step} %}`.repeat(times)}`;

describe('a hostile template is refused', () => {
  test.each([
    ['an endless range', '{% for i in range(1000000000000) %}x{% endfor %}', /a range of 1000000000000 numbers/],
    [
      'a large range of negative step',
      '{% for i in range(0, -1000000000, -1) %}x{% endfor %}',
      /a range of 1000000000 numbers/,
    ],
    [
      'nested loops',
      `${'{% for i in range(4000) %}'.repeat(4)}x${'{% endfor %}'.repeat(4)}`,
      /not done after 400000 steps/,
    ],
    [
      'a loop over a loop of macros',
      '{% macro m() %}{% for i in range(4000) %}y{% endfor %}{% endmacro %}{% for i in range(4000) %}{{ m() }}{% endfor %}',
      /not done/,
    ],
    ['a text that doubles', `${doubled("'0123456789abcdef'", 'x + x', 40)}{{ x }}`, /a text of \d+ characters/],
    [
      'a text that doubles in the output',
      '{% set ns = namespace(x="0123456789") %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}',
      /a text of \d+ characters/,
    ],
    ['a list that doubles', `${doubled('[1, 2]', 'x + x', 40)}{{ x }}`, /not done after/],
    ['lists that hold each other', `${doubled('[1]', '[x, x]', 40)}{{ x }}`, /not done after/],
    [
      'objects that hold each other',
      `${doubled("{'a': 1}", "{'a': x, 'b': x}", 40)}{{ x | tojson }}`,
      /not done after/,
    ],
    [
      'a name space that holds itself',
      '{% set a = namespace() %}{% set a.b = [a, a] %}{{ a.b | tojson }}',
      /not done after|call stack/i,
    ],
    ['deep nesting', `{{ ${'('.repeat(100_000)}1${')'.repeat(100_000)} }}`, /cannot be read: .*call stack/i],
    ['a long template', '{{ 1 }}'.repeat(40_000), /cannot be read: it has 280000 characters/],
    [
      'white space without end',
      `${' '.repeat(200_000)}{{ 1 }}`,
      /cannot be read: it has a run of more than 1000 blanks/,
    ],
    ['a wide indentation', "{{ 'a\\nb' | indent(500000000) }}", /a text of|string length/],
    [
      'a replacement that explodes',
      `${doubled("'aaaaaaaaaaaaaaaa'", 'x + x', 14)}{{ x | replace('a', x) }}`,
      /string length|a text of/,
    ],
  ])('%s', (_, source, says) => {
    const error = thrown(() => render(source));
    expect(error).toBeInstanceOf(EspalierError);
    expect(error).toHaveProperty('message', expect.stringMatching(says));
  });

  test('of a conversation as long as a context nothing is refused', () => {
    const long = Array.from({ length: 200 }, (_, i) => ({
      role: i % 2 === 0 ? ('user' as const) : ('assistant' as const),
      content: 'word '.repeat(1000),
    }));
    const text = chatTemplate(ORDINARY, { bos: '<s>', eos: '</s>' })(long, { addGenerationPrompt: true });
    expect(text.length).toBeGreaterThan(200 * 4999);
  });
});
