import { expect, it } from 'vitest';
import { openModel } from '../index.ts';
import { generate } from './generate.ts';

it('generates from an open model, and may do so again', async () => {
  using model = await openModel('stories', { threads: 1 });
  const heard: string[] = [];
  const options = { prompt: 'Once upon a time', maxNewTokens: 6 };
  const first = await generate(model, { ...options, onToken: ({ text }) => heard.push(text) });
  expect(first.text.length).toBeGreaterThan(0);
  expect(heard.join('')).toBe(first.text);
  expect((await generate(model, options)).tokenIds).toEqual(first.tokenIds);
});
