import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { OpenModel } from './open-model.ts';
import { sample } from './sample.ts';

describe('text that a model writes itself', () => {
  let open: OpenModel;
  beforeAll(async () => {
    open = new OpenModel(await createNodeRuntime({ threads: 1 }), await openNamed('stories'));
  });
  afterAll(() => {
    open.dispose();
    open.runtime.dispose();
  });

  test('is the same for a seed, and each of its texts however many there are', async () => {
    const texts = await sample(open, { windows: 34, length: 12 });
    expect(await sample(open, { windows: 34, length: 12 })).toEqual(texts);
    expect(await sample(open, { windows: 2, length: 12 })).toEqual(texts.slice(0, 2));
    expect(new Set(texts.map(({ text }) => text)).size).toBe(34);
    expect(await sample(open, { windows: 2, length: 12, seed: 1 })).not.toEqual(texts.slice(0, 2));
  });

  test('begins with openings in turn, and is likely to the model', async () => {
    const told: number[] = [];
    const sampled = await sample(open, {
      windows: 3,
      length: 40,
      openings: ['Once upon a time', 'The dog'],
      onProgress: ({ stage, completed }) => stage === 'writing text' && told.push(completed),
    });
    const texts = sampled.map(({ text }) => text);
    expect(sampled.map(({ tokenIds }) => tokenIds.length)).toEqual([40, 40, 40]);
    expect(texts.map((text) => text.trimStart().split(' ').slice(0, 2).join(' '))).toEqual([
      'Once upon',
      'The dog',
      'Once upon',
    ]);
    expect(texts[0]).not.toBe(texts[2]);
    expect(told.at(-1)).toBe(120);
    const tokenizer = await open.tokenizer();
    // Words of its language, which drawn tokens are not.
    const words = texts.join(' ').split(/\s+/);
    expect(
      words.filter((word) => /^(the|a|to|and|was|he|she|it|in|of|his|her|they)$/.test(word)).length,
    ).toBeGreaterThan(8);
    expect(tokenizer.encode(texts.join(' ')).length).toBeLessThan(140);
  });

  test('has room for its opening, and the model for it', async () => {
    await expect(sample(open, { windows: 1, length: 3, openings: ['Once upon a time there was'] })).rejects.toThrow(
      'Give one of at least 1 and fewer than 3.',
    );
    await expect(sample(open, { length: 1e6 })).rejects.toThrow('Texts of 1000000 tokens were asked for');
  });
});
