import { expect, test } from 'vitest';
import { openFixture } from '../architecture/testing/fixture.ts';
import { copiedFiles } from './companions.ts';

const encode = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

async function names(files: Readonly<Record<string, unknown>>) {
  const { checkpoint } = await openFixture('llama');
  const found = await copiedFiles({
    ...checkpoint,
    file: async (name) => (files[name] === undefined ? undefined : encode(files[name])),
  });
  return found.map(({ name, bytes }) => [name, new TextDecoder().decode(bytes)]);
}

const LIST = [
  { name: 'default', template: 'usual' },
  { name: 'tool_use', template: 'tools' },
  { name: '../../outside', template: 'never' },
];

test('templates beside chat_template.jinja stand in files of their own, as transformers reads them', async () => {
  const config = { chat_template: LIST };
  expect(await names({ 'tokenizer_config.json': config, 'chat_template.jinja': 'usual' })).toEqual([
    ['tokenizer_config.json', JSON.stringify(config)],
    ['chat_template.jinja', 'usual'],
    ['additional_chat_templates/tool_use.jinja', 'tools'],
  ]);
});

test('a list in tokenizer_config.json stays where it is', async () => {
  const config = { chat_template: LIST };
  expect(await names({ 'tokenizer_config.json': config })).toEqual([['tokenizer_config.json', JSON.stringify(config)]]);
});
