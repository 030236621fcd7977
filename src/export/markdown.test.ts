import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { codeSpan, frontMatter, plainMarkdown } from './markdown.ts';

const NASTY = [
  'other: see LICENSE',
  'mit\nmalicious: true',
  'no',
  '1.0',
  '2026-01-01',
  '*alias',
  '&anchor x',
  '!!js/function x',
  '# comment',
  '- item',
  '{a: b}',
  '[a]',
  '"quoted',
  "it's",
  'trailing: ',
  ' @at %percent `tick` ',
  '---',
  '...',
  'a\u0085b\u2028c\u0000d',
  'née — 許諾',
  '| folded',
  '~',
  '',
];

test.each(NASTY)('YAML reads front matter back, whatever a licence says: %j', (licence) => {
  const fields = { license: licence, base_model: 'org/name', tags: ['onnx', licence] };
  const [, yaml = '', after] = frontMatter(fields).split(/^---\n/m);
  expect(load(yaml)).toEqual(fields);
  expect(after).toBe('');
});

describe('text in Markdown', () => {
  test.each([
    ['my_model*v2*', 'my\\_model\\*v2\\*'],
    ['<script>alert(1)</script>', '\\<script\\>alert\\(1\\)\\</script\\>'],
    ['a | b', 'a \\| b'],
    ['[x](http://y)', '\\[x\\]\\(http://y\\)'],
    ['two\nlines\t# heading', 'two lines \\# heading'],
    ['&amp; `code`', '\\&amp; \\`code\\`'],
    ['org/name-1.0', 'org/name-1.0'],
  ])('%j is shown as it is', (text, expected) => expect(plainMarkdown(text)).toBe(expected));

  test.each([
    ['org/name', '`org/name`'],
    ['a`b', '``a`b``'],
    ['`a``b', '``` `a``b ```'],
    ['x\ny', '`x y`'],
  ])('%j is code', (text, expected) => expect(codeSpan(text)).toBe(expected));

  test('is cut where it is longer than a line', () => {
    expect(plainMarkdown('x'.repeat(1000))).toBe(`${'x'.repeat(300)}…`);
  });
});
