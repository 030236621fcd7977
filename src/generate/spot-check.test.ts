import { expect, test } from 'vitest';
import type { Decoder } from './decoder.ts';
import { spotCheck } from './spot-check.ts';

const VOCABULARY = 6;
const logits = (positions: number) =>
  Float32Array.from({ length: positions * VOCABULARY }, (_, index) => Math.sin(index) * 4);

/** A decoder whose logits are those of single precision but for `change`. */
function decoderWith(change: (value: number, index: number) => number): Decoder {
  const all = logits(40).map(change);
  const sequence = {
    appendForAllLogits: async (tokenIds: readonly number[]) => all.slice(0, tokenIds.length * VOCABULARY),
    append: async () => all.slice(-VOCABULARY),
    [Symbol.dispose]: () => undefined,
  };
  return { label: 'tiny', cacheType: 'float16', start: () => sequence } as unknown as Decoder;
}

const check = (change: (value: number, index: number) => number) =>
  spotCheck(decoderWith(change), async () => logits(40), VOCABULARY, 512);

test('a decoder that is right within half precision is let be', async () => {
  expect(await check((value) => value * 1.0002)).toBeUndefined();
});

test('one that is wrong anywhere is told of, the first token after the prompt included', async () => {
  expect(await check((value, index) => (index === 100 ? value + 3 : value))).toMatch(
    /^tiny: half precision is wrong on this device: its logits differ from those computed elsewhere by up to 3\.00/,
  );
  expect(await check((value, index) => (index === 39 * VOCABULARY + 2 ? value - 3 : value))).toMatch(/up to 3\.00/);
});

test('one logit that is no number is wrong', async () => {
  expect(await check((value, index) => (index === 7 ? Number.NaN : value))).toMatch(/up to NaN/);
});
