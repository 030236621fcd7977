import { expect, test } from 'vitest';
import { MissingError, UsageError } from '../../errors.ts';
import { memoryFiles } from '../testing/memory-files.ts';
import { companionFiles } from './companion-files.ts';
import { loadTokenizer } from './tokenizer.ts';

const encode = (value: string | object) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const TOKENIZER = { model: { type: 'BPE', vocab: { a: 0 }, merges: [] } };

/** The tokenizer of a folder with these files beside tokenizer.json. */
function open(files: Readonly<Record<string, string | object>>) {
  const contents = Object.entries({ 'tokenizer.json': TOKENIZER, ...files }).map(
    ([name, value]) => [name, encode(value)] as const,
  );
  return loadTokenizer({
    provenance: { name: 'test', format: 'safetensors' },
    config: {},
    file: companionFiles(memoryFiles('test', Object.fromEntries(contents))),
  });
}

test('one template is the default, and chat_template.jinja goes before that of tokenizer_config.json', async () => {
  const one = await open({ 'tokenizer_config.json': { chat_template: 'settings' } });
  expect([one.chatTemplate, one.chatTemplates]).toEqual(['settings', ['default']]);
  const file = await open({ 'tokenizer_config.json': { chat_template: 'settings' }, 'chat_template.jinja': 'file' });
  expect(file.applyChatTemplate([])).toBe('file');
  const none = await open({});
  expect([none.chatTemplate, none.chatTemplates]).toEqual([undefined, []]);
  expect(() => none.applyChatTemplate([])).toThrow(MissingError);
});

const LIST = [
  { name: 'default', template: 'usual' },
  { name: 'tool_use', template: '{{ tools | length }} tools' },
  { name: 'rag', template: 'documents' },
];

test.each([
  ['a list in tokenizer_config.json', { 'tokenizer_config.json': { chat_template: LIST } }],
  [
    'a folder beside chat_template.jinja',
    {
      'chat_template.jinja': 'usual',
      'additional_chat_templates/tool_use.jinja': '{{ tools | length }} tools',
      'additional_chat_templates/rag.jinja': 'documents',
    },
  ],
  [
    'a folder beside the template of tokenizer_config.json',
    {
      'tokenizer_config.json': { chat_template: 'usual', bos_token: 'a' },
      'additional_chat_templates/tool_use.jinja': '{{ tools | length }} tools',
      'additional_chat_templates/rag.jinja': 'documents',
    },
  ],
])('several templates: %s', async (_, files) => {
  const tokenizer = await open(files);
  expect([...tokenizer.chatTemplates].sort()).toEqual(['default', 'rag', 'tool_use']);
  expect(tokenizer.chatTemplate).toBe('usual');
  expect(tokenizer.applyChatTemplate([])).toBe('usual');
  expect(tokenizer.applyChatTemplate([], { tools: [{}] })).toBe('1 tools');
  expect(tokenizer.applyChatTemplate([], { tools: [{}], template: 'rag' })).toBe('documents');
  expect(() => tokenizer.applyChatTemplate([], { template: 'nothing' })).toThrow(UsageError);
  expect(() => tokenizer.applyChatTemplate([], { template: 'nothing' })).toThrow(
    /"nothing"; it has (default|tool_use)/,
  );
});

test('without a default one has to be named', async () => {
  const tokenizer = await open({ 'tokenizer_config.json': { chat_template: LIST.slice(1) } });
  expect(tokenizer.chatTemplate).toBeUndefined();
  expect(() => tokenizer.applyChatTemplate([])).toThrow('it has tool_use, rag. Name one of these (--chat-template)');
  expect(tokenizer.applyChatTemplate([], { template: 'rag' })).toBe('documents');
});
