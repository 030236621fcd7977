import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { cardFields, withCardFields } from './card-fields.ts';
import { frontMatter } from './markdown.ts';
import { licenceSentence } from './model-card.ts';

const tags = ['onnx', 'pruned'];
const text = `\n# stories, pruned\n\n${licenceSentence(undefined)}\n\n---\n\nThe end.\n`;
const card = frontMatter({ library_name: 'transformers.js', tags }) + text;

test('licence and base model are put into the front matter and the text', () => {
  const filled = withCardFields(card, { licence: 'apache-2.0', baseModel: 'org/stories' });
  expect(filled).toBe(
    frontMatter({ license: 'apache-2.0', base_model: 'org/stories', library_name: 'transformers.js', tags }) +
      text.replace(licenceSentence(undefined), licenceSentence('apache-2.0')),
  );
  expect(cardFields(filled)).toEqual({ licence: 'apache-2.0', baseModel: 'org/stories' });
});

test('what is not given stays, and what is given takes the place of what was there', () => {
  const filled = withCardFields(card, { licence: 'mit', baseModel: 'org/a' });
  expect(cardFields(withCardFields(filled, { baseModel: 'org/b' }))).toEqual({ licence: 'mit', baseModel: 'org/b' });
  const relicensed = withCardFields(filled, { licence: 'apache-2.0' });
  expect(relicensed).toContain(licenceSentence('apache-2.0'));
  expect(relicensed).not.toContain(licenceSentence('mit'));
  expect(withCardFields(card, {})).toBe(card);
});

test('a card without front matter gets one', () => {
  expect(withCardFields('# pruned', { licence: 'mit' })).toBe('---\nlicense: mit\n---\n\n# pruned');
});

test.each([{ licence: 'mit\ntags: [x]' }, { licence: '' }, { baseModel: 'name' }, { baseModel: 'org/na me' }])(
  'what no hub would read is refused: %j',
  (fields) => {
    expect(() => withCardFields(card, fields)).toThrow(UsageError);
  },
);
