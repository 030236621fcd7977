import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EspalierError, UnsupportedError } from '../../errors.ts';
import { type ChatMessage, chatTemplate } from './chat-template.ts';

/** What scripts/fixtures/make_chat_templates.py writes: templates and expressions with what jinja2 renders of them. */
interface Fixture {
  now: string;
  conversations: Record<string, { messages: ChatMessage[]; tools?: unknown[]; generate?: boolean }>;
  templates: { name: string; source: string; outcomes: Record<string, { text?: string; error?: string }> }[];
  /** Source and text; no text where jinja2 raises. */
  expressions: [source: string, text: string | null][];
}

const { now, conversations, templates, expressions } = JSON.parse(
  await readFile(join(import.meta.dirname, '../fixtures/chat-templates.json'), 'utf8'),
) as Fixture;

const render = (source: string, name: string): string => {
  const { messages, tools, generate = false } = conversations[name] ?? { messages: [] };
  const template = chatTemplate(source, { bos: '<s>', eos: '</s>' }, () => new Date(now));
  return template(messages, { addGenerationPrompt: generate, tools });
};

describe.each(templates)('the template "$name" renders as jinja2 does', ({ source, outcomes }) => {
  test.each(Object.entries(outcomes))('%s', (name, { text }) => {
    if (text === undefined) expect(() => render(source, name)).toThrow(EspalierError);
    else expect(render(source, name)).toBe(text);
  });
});

test('expressions have the text of jinja2, fail where it fails, and name what is not here', () => {
  const lacking: string[] = [];
  const made = expressions.map(([source]): [string, string | null] => {
    try {
      return [source, render(`{{ ${source} }}`, 'empty')];
    } catch (error) {
      expect(error, source).toBeInstanceOf(EspalierError);
      if (error instanceof UnsupportedError) lacking.push(/uses (.*), which is not/.exec(error.message)?.[1] ?? source);
      return [source, null];
    }
  });
  expect(new Set(lacking)).toEqual(new Set(['the filter "nofilter"', 'the filter "nothing"', 'the test "notest"']));
  expect(made).toEqual(expressions);
});

test.each([
  ["{{ 'a'.expandtabs() }}", 'uses the string method expandtabs(), which is not supported here'],
  ['{{ [1, 2] | slice(2) }}', 'uses the filter "slice", which is not supported here'],
  ['{{ [1e3] }}', 'uses a number with an exponent, which is not supported here'],
])('%s is not blamed on the template', (source, says) => {
  expect(() => render(source, 'empty')).toThrow(UnsupportedError);
  expect(() => render(source, 'empty')).toThrow(says);
});
