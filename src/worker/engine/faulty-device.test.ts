import { beforeAll, describe, expect, it } from 'vitest';
import { diskFolder } from '../../checkpoint/files/disk.ts';
import { openCheckpoint } from '../../checkpoint/folder.ts';
import { DeviceLostError } from '../../errors.ts';
import type { GenerateRequest } from '../engine.ts';
import { engineOn, type GraphicsCard, graphicsCard } from './testing/graphics-card.ts';

const open = async () => openCheckpoint(await diskFolder('public/models/stories'), { name: 'stories' });
const REQUEST: GenerateRequest = { prompt: 'Once upon a time', maxNewTokens: 8, temperature: 0, seed: 0, chat: false };
const EVALUATION = { text: 'Once upon a time there was a little tree. '.repeat(30), windows: 2, length: 32 };

async function started(cards: readonly GraphicsCard[]) {
  const on = engineOn(cards, { open });
  await on.engine.backend('webgpu');
  await on.engine.openModel({ kind: 'embedded', id: 'stories' });
  return on;
}

let expected: readonly number[];
let perplexity: number;
beforeAll(async () => {
  const { engine } = await started([await graphicsCard()]);
  const { tokenIds, notes } = await engine.generate(null, REQUEST);
  expect(notes).toBeUndefined();
  expected = tokenIds;
  perplexity = (await engine.evaluate(null, EVALUATION)).perplexity;
});

describe('a graphics card that computes wrongly', () => {
  it('is found out before the first token, told in one sentence, and its decoders are opened on WebAssembly', async () => {
    const card = await graphicsCard();
    card.distortion = 1.3;
    const { engine, asked } = await started([card]);
    const shown: number[] = [];
    const first = await engine.generate(null, REQUEST, { onToken: ({ id }) => shown.push(id) });
    expect(first.tokenIds).toEqual(expected);
    expect(shown).toEqual(expected);
    expect(first.notes).toEqual([
      expect.stringMatching(
        /is wrong on this device: its logits differ .* is allowed\. Another backend is used instead\.$/,
      ),
    ]);
    // A prompt and a token to compare, and nothing more.
    expect(card.answers).toBe(2);
    expect(asked).toEqual(['webgpu', 'wasm', 'wasm']);
    const again = await engine.generate(null, REQUEST);
    expect(again).toMatchObject({ tokenIds: expected });
    expect(card.answers).toBe(2);
  });

  it('is compared once for a model, not for every text', async () => {
    const card = await graphicsCard();
    const { engine, asked } = await started([card]);
    await engine.generate(null, REQUEST);
    const answers = card.answers;
    await engine.generate(null, REQUEST);
    expect(card.answers - answers).toBe(answers - 2);
    expect(asked).toEqual(['webgpu', 'wasm']);
  });
});

describe('a graphics card that is lost', () => {
  it('is replaced once: the model stays open, calls go on, and one sentence says so', async () => {
    const [first, second] = [await graphicsCard(), await graphicsCard()];
    const { engine, asked } = await started([first, second]);
    await engine.generate(null, REQUEST);
    first.lose();
    const stages: string[] = [];
    expect(
      (await engine.evaluate(null, EVALUATION, { onProgress: ({ stage }) => stages.push(stage) })).perplexity,
    ).toBe(perplexity);
    expect(stages).toContain('opening the model on a new graphics device: the one before was lost');
    const text = await engine.generate(null, REQUEST);
    expect(text.tokenIds).toEqual(expected);
    expect(text.notes).toEqual(['The graphics device was lost; the model was opened again on WebGPU on a test card.']);
    expect((await engine.generate(null, REQUEST)).notes).toBeUndefined();
    expect(asked.filter((name) => name === 'webgpu')).toHaveLength(2);
  });

  it('in the middle of a text: it goes on with the same tokens, none is told twice, and the next text opens nothing', async () => {
    const [first, second] = [await graphicsCard(), await graphicsCard()];
    const { engine, asked } = await started([first, second]);
    const shown: number[] = [];
    const onToken = ({ id }: { readonly id: number }) => {
      shown.push(id);
      if (shown.length === 3) first.lose();
    };
    const text = await engine.generate(null, REQUEST, { onToken });
    expect(text.tokenIds).toEqual(expected);
    expect(shown).toEqual(expected);
    expect(text.notes).toEqual([
      expect.stringMatching(
        /was lost .* The model was opened again: decoder of stories on WebGPU on a test card; the text goes on/,
      ),
    ]);
    const opened = asked.length;
    expect(await engine.generate(null, REQUEST)).toMatchObject({ tokenIds: expected });
    expect(asked).toHaveLength(opened);
  });

  it('and offered no more is replaced by WebAssembly, which the backend then tells', async () => {
    const card = await graphicsCard();
    const { engine } = await started([card]);
    card.lose();
    expect((await engine.evaluate(null, EVALUATION)).perplexity).toBe(perplexity);
    expect(await engine.backend('webgpu')).toMatchObject({
      backend: 'wasm',
      reason: expect.stringContaining('was lost'),
    });
  });

  it('twice in one call ends it with a sentence, and the next call works', async () => {
    const [first, second, third] = [await graphicsCard(), await graphicsCard(), await graphicsCard()];
    const { engine } = await started([first, second, third]);
    first.lose();
    second.lose();
    await expect(engine.evaluate(null, EVALUATION)).rejects.toBeInstanceOf(DeviceLostError);
    expect((await engine.evaluate(null, EVALUATION)).perplexity).toBe(perplexity);
  });
});
