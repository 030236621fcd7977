import { expect, it } from 'vitest';
import { cardFigures } from './card-figures.ts';

const measured = { perplexity: 11.91, standardError: 0.234, tokens: 1000, windows: 10, seconds: 1 };
const estimate = (value: number) => ({ value, low: 0.95 * value, high: 1.05 * value });
const speed = { prefill: estimate(300), decode: estimate(250), bytes: 1 };

it('tells the perplexity with its error, beside that of the dense model', () => {
  expect(cardFigures('a text', measured, { ...measured, perplexity: 11.19 }, undefined)).toEqual({
    'perplexity on a text': '11.9 ± 0.23 (dense 11.2)',
  });
});

it('tells what was measured, and nothing else', () => {
  expect(cardFigures('a text', undefined, measured, undefined)).toEqual({});
  expect(cardFigures('a text', measured, undefined, undefined)).toEqual({ 'perplexity on a text': '11.9 ± 0.23' });
});

it('tells the speed as a ratio with its interval, and the tokens a second of the pruned model', () => {
  const comparison = {
    dense: { ...speed, decode: estimate(200) },
    pruned: speed,
    prefill: estimate(1.1),
    decode: estimate(1.25),
    rounds: 8,
    promptTokens: 64,
    seconds: 2,
  };
  expect(cardFigures('a text', undefined, undefined, comparison)).toEqual({
    'decoding speed over the dense model, f32, token by token in turn where it was built, 99% interval':
      '×1.25 (1.19–1.31); 250 (238–263) tokens per second',
  });
});
