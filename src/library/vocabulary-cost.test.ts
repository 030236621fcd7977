import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { OpenModel } from './open-model.ts';
import { measureVocabulary } from './vocabulary-cost.ts';

test('measures a smaller vocabulary beside the whole one on text that its tokens were not chosen by', async () => {
  using runtime = await createNodeRuntime({});
  using open = new OpenModel(runtime, await openNamed('stories'));
  const text = await readFile('public/models/stories/calibration.txt', 'utf8');
  const ids = (await open.tokenizer()).encode(text.slice(0, 4000));
  const { before, after, decode } = await measureVocabulary(open, {
    ...{ keep: '1024', windows: tokenWindows(ids, { length: 64 }), measureWindows: 4, length: 32 },
    text: await readFile('public/models/stories/evaluation.txt', 'utf8'),
    speed: { promptTokens: 8, newTokens: 2, seconds: 1 },
  });
  expect(before.tokens).toBe(4096);
  expect(after.tokens).toBeLessThanOrEqual(1024);
  // Rows of a tied embedding of 256 numbers.
  expect(before.parameters - after.parameters).toBe(256 * (before.tokens - after.tokens));
  expect(after.tokensPerWord).toBeGreaterThan(before.tokensPerWord);
  expect(before.bitsPerByte).toBeGreaterThan(0.5);
  expect(after.bitsPerByte).toBeGreaterThan(0.5);
  expect(decode?.low).toBeGreaterThan(0);
});
