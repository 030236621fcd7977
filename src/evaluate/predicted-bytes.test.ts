import { expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { loadTokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { bitsPerByte, predictedBytes } from './predicted-bytes.ts';
import { tokenWindows } from './token-windows.ts';

const TEXT =
  'Once upon a time there was a fox 🦊 in 東京 who said “naïve”. Then it slept, and woke again in the warm sun.';

test('counts the bytes of all tokens but the first of each window, however characters are cut', async () => {
  const tokenizer = await loadTokenizer(await openNamed('stories'));
  const ids = tokenizer.encode(TEXT, { addSpecialTokens: false });
  const bytes = new TextEncoder().encode(TEXT).length;
  expect(predictedBytes(tokenizer, [ids])).toBe(bytes - 'Once'.length);
  // One window after the other: what first tokens write is left out.
  const plain = tokenizer.encode('Then it slept, and woke again in the warm sun.', { addSpecialTokens: false });
  const windows = tokenWindows(plain, { length: 3 });
  const firsts = windows.map((window) => tokenizer.decode([window[0] as number])).join('');
  const covered = tokenizer.decode(plain.slice(0, 3 * windows.length));
  expect(windows.length).toBeGreaterThan(2);
  expect(predictedBytes(tokenizer, windows)).toBe(covered.length - firsts.length);
});

test('special tokens stand for no bytes', async () => {
  const tokenizer = await loadTokenizer(await openNamed('stories'));
  const [end = 0] = tokenizer.eosTokenIds;
  const ids = tokenizer.encode(' a little girl', { addSpecialTokens: false });
  expect(predictedBytes(tokenizer, [[end, ...ids, end]])).toBe(' a little girl'.length);
});

test('bits per byte are nats of all predictions over bytes', () => {
  expect(bitsPerByte({ loss: Math.LN2, tokens: 40 }, 160)).toBe(0.25);
});
